import assert from 'node:assert/strict'
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

const SCRIPT = `import { readStdin } from ${JSON.stringify(new URL('./read-stdin.ts', import.meta.url).href)}
const said = []
const event = await readStdin({ hint: 50, patience: 300, onWait: (line) => said.push(line) })
console.log(JSON.stringify({ event: event ?? null, said }))`

/** Reads standard input in a process of its own. */
function read(
  t: TestContext,
  stdin: StdioOptions,
): { child: ChildProcess; result: Promise<{ event: string | null; said: string[] }> } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    stdio: [stdin as 'pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  return { child, result: text(child.stdout!).then((said) => JSON.parse(said)) }
}

test('standard input is read from pipes and files to their end', async (t) => {
  const piped = read(t, 'pipe')
  piped.child.stdin!.end('{"n":1}')
  assert.equal((await piped.result).event, '{"n":1}')

  const file = path.join(tmpdir(), `peerhost-event-${process.pid}.json`)
  writeFileSync(file, '{"n":2}')
  t.after(() => rmSync(file))
  assert.equal((await read(t, openSync(file, 'r') as unknown as StdioOptions).result).event, '{"n":2}')
  assert.equal((await read(t, 'ignore').result).event, null)
})

test('a pipe that stays open and silent holds nobody up, and the user is told; one that has begun is waited for', async (t) => {
  const silent = read(t, 'pipe')
  const { event, said } = await silent.result
  assert.equal(event, null)
  assert.match(said[0]!, /Waiting for an event on standard input/)

  const slow = read(t, 'pipe')
  slow.child.stdin!.write('{"n":')
  setTimeout(() => slow.child.stdin!.end('3}'), 600)
  const late = await slow.result
  assert.equal(late.event, '{"n":3}')
})
