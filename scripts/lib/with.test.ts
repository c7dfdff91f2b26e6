import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'

const ROOT = resolve(import.meta.dirname, '../..')
const WITH = join(ROOT, 'scripts/with')

interface Ended {
  code: number
  stdout: string
  stderr: string
}

const folders: string[] = []
const temporaryFolder = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), 'peerhost-with-')))
  return folders.at(-1)!
}
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function run(args: string[], env: NodeJS.ProcessEnv = {}, cwd = ROOT): Promise<Ended> {
  return new Promise((done) => {
    execFile(WITH, args, { cwd, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

test('a command runs in the current folder, with its own exit code and nothing printed beside its output', async () => {
  const folder = temporaryFolder()
  const { code, stdout, stderr } = await run(['bash', '-c', 'pwd; exit 7'], {}, folder)
  assert.deepEqual({ code, stdout: stdout.trim(), stderr }, { code: 7, stdout: folder, stderr: '' })
})

test('it has Node 24, the tools of node_modules/.bin, nsjail, bash for npm and the source condition', async () => {
  const script = `
    const { execFileSync } = require('node:child_process')
    const { PEERHOST_NSJAIL, NODE_OPTIONS, npm_config_script_shell } = process.env
    execFileSync('serverless', ['--version'])
    console.log(JSON.stringify({ node: process.versions.node, NODE_OPTIONS, npm_config_script_shell, nsjail: require('node:fs').existsSync(PEERHOST_NSJAIL) }))`
  const { stdout, stderr } = await run(['node', '-e', script], { NODE_OPTIONS: '--no-deprecation' })
  const seen = JSON.parse(stdout || stderr)
  assert.ok(Number(seen.node.split('.')[0]) >= 24)
  assert.equal(seen.NODE_OPTIONS, '--no-deprecation --conditions=peerhost-source')
  assert.equal(seen.npm_config_script_shell, '/bin/bash')
  assert.equal(seen.nsjail, true)
})

test('an nsjail that does not work is not used', async () => {
  const broken = join(temporaryFolder(), 'nsjail')
  writeFileSync(broken, '#!/bin/sh\nexit 255\n')
  chmodSync(broken, 0o755)
  const { stdout } = await run(['bash', '-c', 'echo $PEERHOST_NSJAIL'], { PEERHOST_NSJAIL: broken })
  assert.notEqual(stdout.trim(), broken)
  assert.match(stdout, /nsjail$/m)
})

test('a command that does not exist is one sentence', async () => {
  const { code, stderr } = await run(['no-such-command'])
  assert.equal(code, 1)
  assert.match(stderr, /^peerhost: there is no command no-such-command: .*\n$/)
})

test('a machine without Node, in a fresh clone, is told what to do', async () => {
  const clone = temporaryFolder()
  const bin = temporaryFolder()
  for (const tool of ['bash', 'dirname', 'readlink', 'uname', 'mkdir', 'flock']) {
    const path = await run(['bash', '-c', `command -v ${tool}`])
    symlinkSync(path.stdout.trim(), join(bin, tool))
  }
  await run(['bash', '-c', `cp -r scripts .node-version package-lock.json "${clone}"`])
  const { code, stderr } = await new Promise<Ended>((done) => {
    execFile(join(clone, 'scripts/with'), ['true'], { env: { PATH: bin } }, (error, stdout, text) => {
      done({ code: error ? Number(error.code) : 0, stdout, stderr: text })
    })
  })
  assert.equal(code, 1)
  assert.match(stderr, /^peerhost: Node and npm are missing: install Node 20 or newer .*\n$/)
})
