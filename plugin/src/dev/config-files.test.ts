import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { readConfigFiles, watchConfigFiles } from './config-files.ts'

function folder(t: TestContext) {
  const dir = realpathSync(mkdtempSync(path.join(tmpdir(), 'peerhost-config-')))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(path.join(dir, 'config'))
  const write = (name: string, text: string) => writeFileSync(path.join(dir, name), text)
  write('serverless.yml', `functions: \${file(functions.yml)}\ncustom: \${file(./config/\${sls:stage}.yml):custom}\n`)
  write('functions.yml', 'hello: ${file("config/hello.yml")}\nself: ${file(functions.yml)}')
  write('config/hello.yml', '{}')
  write('config/dev.yml', '{}')
  write('config/prod.yml', '{}')
  write('.env', 'A=1')
  return { dir, write }
}

test('what serverless.yml is made of: files that it includes, also by way of others and variables, and .env', (t) => {
  const { dir } = folder(t)
  const found = Array.from(readConfigFiles(dir, 'serverless.yml').keys(), (file) => path.relative(dir, file))
  assert.deepEqual(found.sort(), [
    '.env',
    'config/dev.yml',
    'config/hello.yml',
    'config/prod.yml',
    'functions.yml',
    'serverless.yml',
  ])
})

test('a change of any of them is told, also by an editor that puts a new file in the old one’s place; the same text is none', async (t) => {
  const { dir, write } = folder(t)
  let count = 0
  let wake = () => {}
  const stop = watchConfigFiles(dir, 'serverless.yml', () => {
    count++
    wake()
  })
  t.after(stop)
  const told = async (expected: number) => {
    while (count < expected) await new Promise<void>((resolve) => (wake = resolve))
    assert.equal(count, expected)
  }
  write('config/hello.yml', '{ price: 1 }')
  await told(1)
  write('functions.yml', 'hello: ${file("config/hello.yml")}\nself: ${file(functions.yml)}')
  write('other.txt', 'not of it')
  write('new.yml', 'functions: {}')
  renameSync(path.join(dir, 'new.yml'), path.join(dir, 'serverless.yml'))
  await told(2)
  write('.env.local', 'B=2')
  await told(3)
})
