import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'

let network: TestNetwork
let runs = 0
before(async () => {
  network = await startTestNetwork()
  await network.worker(() => ({ body: `run ${++runs}` }))
  await network.deploy('shop', [{ name: 'free', routes: [{ path: '/free' }] }])
})
after(() => network?.stop())

/** The thread that the next write goes to. */
async function commitThread(): Promise<Worker> {
  const { postMessage } = Worker.prototype
  const found = Promise.withResolvers<Worker>()
  Worker.prototype.postMessage = function (this: Worker, message: { writes?: unknown }, ...rest: never[]) {
    if (message.writes) found.resolve(this)
    return postMessage.call(this, message, ...rest)
  }
  assert.equal((await fetch(network.url('shop', '/free'))).status, 200)
  const thread = await found.promise
  Worker.prototype.postMessage = postMessage
  return thread
}

test('a gateway that cannot write any more runs nothing, says so, and asks to be ended', {
  timeout: 20_000,
}, async () => {
  const thread = await commitThread()
  await thread.terminate()
  assert.equal((await network.gateway.failed).code, 'PH_GATEWAY_STORE_FAILED')
  const ran = runs
  const response = await fetch(network.url('shop', '/free'))
  assert.equal(response.status, 503)
  assert.equal((await response.json()).code, 'PH_GATEWAY_STORE_FAILED')
  assert.equal(runs, ran)
  assert.equal((await fetch(`${network.gateway.url}/readyz`)).status, 503)
  assert.equal((await fetch(`${network.gateway.url}/healthz`)).status, 200)
})
