import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sha256Hex, signAccess } from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { importBytes, toCar } from '@peerhost/storage'
import { Wallet } from 'ethers'
import { RUNTIME_ID, startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'
import { signPayment } from '../testing/x402.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are read member by member, and a missing one fails the test
type Json = any

let network: TestNetwork
before(async () => {
  network = await startTestNetwork({ config: { limits: { provesPerMinute: 2, maxUploadBytes: 10_000 } } })
  await network.worker(
    ({ event, request, function: name }) => {
      if (event) {
        const text = Buffer.from(event).toString()
        if (text.includes('fail')) return { status: 1, body: '{"errorType":"Error","errorMessage":"failed"}' }
        return { body: JSON.stringify({ got: JSON.parse(text) }), logs: 'first\nsecond\n' }
      }
      return {
        headers: [['content-type', 'application/json']],
        body: JSON.stringify({
          name,
          path: request!.path,
          query: request!.query,
          body: String(Buffer.from(request!.body)),
        }),
        logs: 'a line\n',
      }
    },
    { onProve: ({ definition }) => (definition.name === 'random' ? 'body differs at byte 3' : undefined) },
  )
  await network.deploy('shop', [
    { name: 'free', routes: [{ path: '/items/{id}' }, { method: 'POST', path: '/items/{rest+}' }] },
    { name: 'quote', price: 1000n, routes: [{ path: '/quote' }], definition: { description: 'A quote' } },
    { name: 'silent' },
  ])
})
after(() => network?.stop())

const get = async (path: string) => (await fetch(`${network.gateway.url}${path}`)).json() as Promise<Json>

function signed(
  method: string,
  target: string,
  body: Uint8Array = new Uint8Array(),
  key = network.developer.privateKey,
) {
  const auth = signAccess(createSigner(key), { domain: network.domain, method, target, body, now: Date.now() / 1000 })
  return fetch(`${network.gateway.url}${target}`, {
    method,
    headers: { 'peerhost-auth': auth },
    ...(method === 'POST' && { body: body as BodyInit }),
  })
}
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

test('health, readiness and metrics', async () => {
  assert.equal((await get('/healthz')).status, 'ok')
  assert.equal((await get('/readyz')).status, 'ready')
  await fetch(network.url('shop', '/items/1'))
  const text = await (await fetch(`${network.gateway.url}/metrics`)).text()
  assert.match(text, /^peerhost_gateway_calls_total\{status="200",paid="false"\} [1-9]/m)
  assert.match(text, /^peerhost_gateway_workers 1$/m)
})

test('/services lists what is served, of one owner and project if asked', async () => {
  const { services } = await get(`/services?owner=${network.developer.address}&project=shop`)
  assert.deepEqual(services.map((service: { function: string }) => service.function).sort(), [
    'free',
    'quote',
    'silent',
  ])
  const quote = services.find((service: { function: string }) => service.function === 'quote')
  assert.equal(quote.price, '1000')
  assert.equal(quote.version, 1)
  assert.equal(quote.routes[0].url, network.url('shop', '/quote'))
  assert.deepEqual((await get(`/services?project=other`)).services, [])
})

test('/.well-known/x402 lists the priced routes with their offers', async () => {
  const { resources } = await get('/.well-known/x402')
  assert.equal(resources.length, 1)
  assert.equal(resources[0].resource, network.url('shop', '/quote'))
  assert.equal(resources[0].accepts[0].amount, '1000')
})

test('a project’s OpenAPI document is at its own URL and at /openapi.json', async () => {
  const own = (await (await fetch(network.url('shop', '/openapi.json'))).json()) as Json
  assert.equal(own.openapi, '3.1.0')
  assert.deepEqual(Object.keys(own.paths).sort(), ['/items/{id}', '/items/{rest}', '/quote', '/silent'])
  assert.ok(own.paths['/quote'].get.responses['402'])
  assert.deepEqual(await get(`/openapi.json?owner=${network.developer.address}&project=shop`), own)
})

test('content is uploaded by a signed CAR and served as it was', async () => {
  const content = new TextEncoder().encode('some content')
  const file = await importBytes(content)
  const car = toCar(file)
  assert.equal(
    await codeOf(await fetch(`${network.gateway.url}/ipfs`, { method: 'POST', body: car as BodyInit })),
    'PH_AUTH_MISSING',
  )
  const stored = await signed('POST', '/ipfs', car)
  assert.deepEqual(await stored.json(), { cid: file.cid, size: content.length })
  const block = await fetch(`${network.gateway.url}/ipfs/${file.cid}?format=raw`)
  assert.equal(sha256Hex(new Uint8Array(await block.arrayBuffer())), sha256Hex(content))
  assert.equal((await signed('POST', '/ipfs', new Uint8Array(3_000_000))).status, 413)
})

test('/invoke runs a raw event for the owner only', async () => {
  const target = `/invoke/${network.developer.address}/shop/quote`
  const response = await signed('POST', target, bytes({ a: 1 }))
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { got: { a: 1 } })
  assert.ok(response.headers.get('peerhost-receipt'))
  const failed = await signed('POST', target, bytes('fail'))
  assert.equal(failed.status, 502)
  assert.equal(failed.headers.get('peerhost-error'), 'PH_RUN_THREW')
  assert.equal(((await failed.json()) as { errorMessage: string }).errorMessage, 'failed')
  const other = await signed('POST', target, bytes({}), network.payer.privateKey)
  assert.equal(other.status, 403)
  assert.equal(await codeOf(other), 'PH_AUTH_FORBIDDEN')
  assert.equal((await signed('POST', `${target}x`, bytes({}))).status, 404)
})

test('/logs tells the owner what his function did, from a cursor on', async () => {
  await fetch(network.url('shop', '/items/5'))
  const target = `/logs/${network.developer.address}/shop/free`
  let lines: Json[] = []
  let response: Response
  const read = async (query = '') => {
    response = await signed('GET', `${target}${query}`)
    assert.equal(response.status, 200)
    const text = await response.text()
    lines = text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }
  await until(async () => {
    await read()
    return lines.length > 0
  })
  const last = lines.at(-1)
  assert.deepEqual(last.lines, ['a line'])
  assert.equal(last.status, 0)
  assert.equal(last.start, 'forked')
  assert.match(last.requestId, /^0x[0-9a-f]{64}$/)
  const cursor = response!.headers.get('peerhost-cursor')
  await read(`?since=${cursor}`)
  assert.equal(lines.length, 0)
  assert.equal((await signed('GET', target, undefined, network.payer.privateKey)).status, 403)
  assert.equal((await fetch(`${network.gateway.url}${target}`)).status, 401)
})

test('/prove has a worker try a function that is not registered, a few times a minute', async () => {
  const definition = (name: string) => ({
    name,
    handler: 'index.handler',
    bundleCid: 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy',
    codeDigest: `0x${'ab'.repeat(32)}`,
    size: 10,
    routes: [],
    price: '0',
    timeout: 1,
    memorySize: 128,
    egress: [],
    verification: 'deterministic',
    publicHeaders: [],
    environment: {},
    runtimeId: RUNTIME_ID,
  })
  const prove = (body: unknown) => signed('POST', '/prove', bytes(body))
  assert.equal(await codeOf(await prove({ project: 'p', definition: { name: 'x' }, runs: 2 })), 'PH_MANIFEST_INVALID')
  assert.deepEqual(await (await prove({ project: 'p', definition: definition('same'), runs: 2 })).json(), {
    deterministic: true,
  })
  const random = await prove({ project: 'p', definition: definition('random'), runs: 2 })
  assert.deepEqual(await random.json(), { deterministic: false, difference: 'body differs at byte 3' })
  const tooMany = await prove({ project: 'p', definition: definition('same'), runs: 2 })
  assert.equal(tooMany.status, 429)
  assert.equal(await codeOf(tooMany), 'PH_GATEWAY_RATE_LIMITED')
  const body = bytes({ project: 'p', definition: definition('same'), runs: 2 })
  const statuses = []
  for (let i = 0; i < 7; i++) {
    const { privateKey } = Wallet.createRandom()
    statuses.push((await signed('POST', '/prove', body, privateKey as `0x${string}`)).status)
  }
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 429], 'many wallets are still one source')
})

async function rpc(method: string, params: unknown = {}): Promise<Json> {
  const response = await fetch(`${network.gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  return response.json()
}

test('/mcp offers the functions as tools, and takes payment in _meta', async () => {
  const { result } = await rpc('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} })
  assert.equal(result.protocolVersion, '2025-06-18')
  const { tools } = (await rpc('tools/list')).result
  const named = (part: string) => tools.find(({ name }: { name: string }) => name.includes(part)).name
  const free = await rpc('tools/call', {
    name: named('free'),
    arguments: { route: 'GET /items/{id}', pathParameters: { id: 'a b' }, query: { q: '1' } },
  })
  assert.deepEqual(JSON.parse(free.result.content[0].text), {
    name: 'free',
    path: '/items/a%20b',
    query: 'q=1',
    body: '',
  })

  const unpaid = await rpc('tools/call', { name: named('quote') })
  assert.equal(unpaid.result.isError, true)
  const [offer] = unpaid.result.structuredContent.accepts
  const { header } = await signPayment(offer, network.payer.privateKey)
  const payment = JSON.parse(Buffer.from(header, 'base64').toString())
  const paid = await rpc('tools/call', { name: named('quote'), _meta: { 'x402/payment': payment } })
  assert.equal(paid.result.isError, false)
  assert.equal(paid.result._meta['x402/payment-response'].success, true)
  assert.equal(JSON.parse(paid.result.content[0].text).name, 'quote')

  assert.equal((await rpc('tools/call', { name: 'nothing' })).error.code, -32602)
  assert.equal((await rpc('nothing')).error.code, -32601)
})

test('deploys are seen across a restart, a re-organisation and a return to an older block', async () => {
  const { provider } = network.chain
  const versionOf = async () => {
    const { services } = await get(`/services?owner=${network.developer.address}&project=shop`)
    return services.find((service: { function: string }) => service.function === 'silent')?.version
  }
  const snapshot = await provider.send('evm_snapshot', [])
  await network.deploy('shop', [{ name: 'silent' }])
  assert.equal(await versionOf(), 2)
  await network.restart()
  assert.equal(await versionOf(), 2)
  await provider.send('evm_revert', [snapshot])
  await provider.send('evm_mine', [])
  await until(async () => (await versionOf()) === 1, 'the older version')
})
