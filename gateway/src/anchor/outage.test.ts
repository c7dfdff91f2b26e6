import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'

let network: TestNetwork
before(async () => {
  network = await startTestNetwork({ config: { anchorIntervalMs: 50 } })
})
after(() => network?.stop())

test('a chain that is gone is named as such, once and not at each attempt', async () => {
  await network.chain.chain.stop()
  const about = (text: string) => network.lines.filter((line) => line.includes(text))
  await until(() => about('anchoring failed').length > 0 && about('registry is behind').length > 0)
  const end = Date.now() + 600 // a dozen attempts
  await until(() => Date.now() > end)
  const [line, ...more] = about('anchoring failed')
  assert.deepEqual(more, [])
  assert.match(line!, /PH_CHAIN_UNREACHABLE.*PEERHOST_RPC_URL/)
  assert.equal(about('registry is behind').length, 1)
  const ready = await fetch(`${network.gateway.url}/readyz`)
  assert.equal(ready.status, 503)
  assert.match(await ready.text(), /PH_CHAIN_UNREACHABLE/)
})
