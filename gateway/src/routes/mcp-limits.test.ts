import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'
import { signPayment } from '../testing/x402.ts'

let network: TestNetwork
let answer: (() => Promise<void>) | undefined
let runs = 0
before(async () => {
  network = await startTestNetwork({ config: { limits: { freeCallsPerMinute: 2, maxInFlight: 1 } } })
  await network.worker(async () => {
    runs++
    await answer?.()
    return { body: `run ${runs}` }
  })
  await network.deploy('shop', [
    { name: 'free', routes: [{ path: '/free' }] },
    { name: 'paid', price: 1000n, routes: [{ path: '/paid' }] },
  ])
})
after(() => network?.stop())
afterEach(() => {
  answer = undefined
})

const post = (method: string, params: object, init: RequestInit = {}) =>
  fetch(`${network.gateway.url}/mcp`, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    ...init,
  })
const rpc = async (method: string, params: object = {}) => (await (await post(method, params)).json()).result
const toolOf = async (part: string): Promise<string> =>
  (await rpc('tools/list')).tools.find(({ name }: { name: string }) => name.includes(part)).name

test('free calls through /mcp count for the quota of free calls', async () => {
  const name = await toolOf('free')
  const failed = []
  for (let i = 0; i < 3; i++) failed.push((await rpc('tools/call', { name })).isError)
  assert.deepEqual(failed, [false, false, true])
})

test('an answer to a paid tool that did not reach its caller is there for him, with its receipt', async () => {
  const name = await toolOf('paid')
  const [offer] = (await rpc('tools/call', { name })).structuredContent.accepts
  const { header } = await signPayment(offer, network.payer.privateKey)
  const payment = { 'x402/payment': JSON.parse(Buffer.from(header, 'base64').toString()) }
  const leaving = new AbortController()
  answer = async () => leaving.abort()
  const ran = runs
  await assert.rejects(post('tools/call', { name, _meta: payment }, { signal: leaving.signal }))
  let response: Response | undefined
  let result: { isError: boolean; content: { text: string }[] } | undefined
  await until(async () => {
    response = await post('tools/call', { name, _meta: payment })
    if (response.status === 200) result = (await response.json()).result
    else await response.body?.cancel()
    return result?.isError === false
  }, 'the answer')
  assert.equal(result!.content[0]!.text, `run ${ran + 1}`)
  assert.ok(response!.headers.get('peerhost-receipt'))
  assert.equal((await rpc('tools/call', { name, _meta: payment })).isError, true, 'delivered once')
})

test('a call through /mcp is one of those that may be under way at once', async () => {
  const name = await toolOf('paid')
  const started = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  answer = () => {
    started.resolve()
    return done.promise
  }
  const [offer] = (await rpc('tools/call', { name })).structuredContent.accepts
  const { header } = await signPayment(offer, network.payer.privateKey)
  const first = fetch(network.url('shop', '/paid'), { headers: { 'payment-signature': header } })
  await started.promise
  const second = await post('tools/list', {})
  assert.equal(second.status, 503)
  assert.equal((await second.json()).code, 'PH_GATEWAY_BUSY')
  done.resolve()
  assert.equal((await first).status, 200)
})
