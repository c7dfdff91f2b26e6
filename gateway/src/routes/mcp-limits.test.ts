import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'

let network: TestNetwork
before(async () => {
  network = await startTestNetwork({ config: { limits: { freeCallsPerMinute: 2 } } })
  await network.worker(() => ({ body: 'ok' }))
  await network.deploy('shop', [{ name: 'free', routes: [{ path: '/free' }] }])
})
after(() => network?.stop())

test('free calls through /mcp count for the quota of free calls', async () => {
  const rpc = async (method: string, params: object = {}) => {
    const response = await fetch(`${network.gateway.url}/mcp`, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    return ((await response.json()) as { result: { tools: { name: string }[]; isError: boolean } }).result
  }
  const { name } = (await rpc('tools/list')).tools[0]!
  const failed = []
  for (let i = 0; i < 3; i++) failed.push((await rpc('tools/call', { name })).isError)
  assert.deepEqual(failed, [false, false, true])
})
