import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { after, before, test } from 'node:test'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'

let network: TestNetwork
let runs = 0
before(async () => {
  network = await startTestNetwork()
  await network.worker(() => ({ body: `run ${++runs}` }))
  await network.deploy('shop', [{ name: 'free', routes: [{ path: '/free' }] }])
})
after(() => network?.stop())

/** Has the disk fail from now on. */
function breakDisk(): void {
  const { fdatasync } = fs
  fs.fdatasync = Object.assign(
    (_fd: number, done: (error: Error) => void) => setImmediate(done, new Error('EIO: i/o error, fdatasync')),
    { __promisify__: fdatasync.__promisify__ },
  )
  syncBuiltinESMExports()
  after(() => {
    fs.fdatasync = fdatasync
    syncBuiltinESMExports()
  })
}

test('a gateway that cannot write any more runs nothing, says so, and asks to be ended', {
  timeout: 20_000,
}, async () => {
  assert.equal((await fetch(network.url('shop', '/free'))).status, 200)
  breakDisk()
  const unkept = await fetch(network.url('shop', '/free'))
  assert.equal(unkept.status, 503)
  assert.equal((await unkept.json()).code, 'PH_GATEWAY_STORE_FAILED')
  assert.equal((await network.gateway.failed).code, 'PH_GATEWAY_STORE_FAILED')
  const ran = runs
  const response = await fetch(network.url('shop', '/free'))
  assert.equal(response.status, 503)
  assert.equal((await response.json()).code, 'PH_GATEWAY_STORE_FAILED')
  assert.equal(runs, ran)
  assert.equal((await fetch(`${network.gateway.url}/readyz`)).status, 503)
  assert.equal((await fetch(`${network.gateway.url}/healthz`)).status, 200)
})
