import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkFiles } from './check-files.ts'

test('addresses in lockfiles and paths of one machine are found, jails and user guides left alone', async () => {
  const root = mkdtempSync(join(tmpdir(), 'peerhost-check-'))
  const write = (name: string, text: string) => writeFileSync(join(root, name), text)
  try {
    execFileSync('git', ['init', '-q'], { cwd: root })
    write('package-lock.json', '{ "resolved": "https://registry.example/a.tgz" }')
    write('own.md', `see ${root}/notes`)
    write('home.md', ['', 'home', 'somebody', 'code'].join('/'))
    write('fine.md', '/var/task/handler.js, https://shop.example/home/page, /run/0xabc/shop/root')
    execFileSync('git', ['add', '.'], { cwd: root })
    const { ok, output } = await checkFiles(root)
    assert.equal(ok, false)
    assert.deepEqual(
      output.split('\n').map((line) => line.split(':')[0]),
      ['home.md', 'own.md', 'package-lock.json'],
    )
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
