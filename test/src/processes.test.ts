import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'
import { processes, startedWith, tree, waitUntilGone } from './support/processes.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const NPX = ['npx', 'peerhost']

/** Time for a clean shutdown of chain, gateway and workers, in milliseconds. */
const SHUTDOWN = 15_000

/** Deploys the example, so that workers have jails of their functions. */
async function deployExample({ networkFile, network }: DevNetwork): Promise<void> {
  const env = { ...process.env, PEERHOST_NETWORK_FILE: networkFile }
  await promisify(execFile)('serverless', ['deploy'], { cwd: `${ROOT}examples`, env })
  const answer = await fetch(`${network.gatewayUrl}/run/${network.accounts.developer.address}/shop/api/products`)
  assert.equal(answer.status, 200, await answer.text())
}

/** Starts the network with the example deployed, ends one of its processes, and sees that nothing of it is left. */
async function endsAllOf(command: string[], end: (outermost: number) => void): Promise<void> {
  const run = randomUUID()
  const network = await startDevNetwork({ command, cwd: ROOT, env: { ...process.env, PEERHOST_TEST_RUN: run } })
  await deployExample(network)
  const { chain, gateway, workers } = network.network.pids
  const all = tree(network.process.pid!)
  for (const pid of [chain, gateway, ...Object.values(workers)]) {
    assert.ok(
      all.some((one) => one.pid === pid),
      `process ${pid} of network.json descends from the command`,
    )
  }
  end(network.process.pid!)
  // Jails have an empty environment, so they are known by descent; what was started later, by the environment.
  const known = all.map(({ pid }) => pid)
  const ours = () => [...processes().filter(({ pid }) => known.includes(pid)), ...startedWith('PEERHOST_TEST_RUN', run)]
  const left = await waitUntilGone(ours, SHUTDOWN)
  for (const pid of new Set(left.map((one) => one.pid))) process.kill(pid, 'SIGKILL')
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
