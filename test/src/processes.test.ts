import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDevNetwork } from './support/dev-network.ts'
import { tree, waitUntilGone } from './support/processes.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const NPX = ['npx', 'peerhost']

/** Time for a clean shutdown of chain, gateway and workers, in milliseconds. */
const SHUTDOWN = 15_000

/** Starts the network, does something to one of its processes, and sees that nothing of it is left. */
async function endsAllOf(command: string[], harm: (outermost: number) => void): Promise<void> {
  const network = await startDevNetwork({ command, cwd: ROOT })
  const { chain, gateway, workers } = network.network.pids
  const all = tree(network.process.pid!)
  for (const pid of [chain, gateway, ...Object.values(workers)]) {
    assert.ok(
      all.some((one) => one.pid === pid),
      `process ${pid} of network.json descends from the command`,
    )
  }
  harm(network.process.pid!)
  const left = await waitUntilGone(
    all.map(({ pid }) => pid),
    SHUTDOWN,
  )
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  await network.stop()
  assert.deepEqual(left, [], network.output())
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const) {
  test(`${signal} to npx peerhost dev leaves no process`, () =>
    endsAllOf(NPX, (outermost) => process.kill(outermost, signal)))
}

test('kill -9 of the parent of npx peerhost dev leaves no process', () =>
  // bash stays the parent, since it has something left to do after the command.
  endsAllOf(['bash', '-c', '"$@"; true', 'parent', ...NPX], (parent) => process.kill(parent, 'SIGKILL')))
