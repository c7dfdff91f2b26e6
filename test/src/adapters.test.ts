import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { adapterService } from './support/adapter-service.ts'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'
import { createService, type Service, serverless } from './support/serverless.ts'

describe('handlers written for AWS Lambda, deployed and called through the network', () => {
  let network: DevNetwork
  let service: Service

  before(async () => {
    service = createService(adapterService)
    network = await startDevNetwork()
    await serverless(['deploy'], service, network.networkFile)
  })
  after(async () => {
    await network?.stop()
    service?.remove()
  })

  const call = (path: string, init?: RequestInit) => {
    const { gatewayUrl, accounts } = network.network
    return fetch(`${gatewayUrl}/run/${accounts.developer.address}/adapters${path}`, init)
  }
  const post = (path: string, body: unknown) =>
    call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  for (const adapter of ['express', 'vendia', 'hono']) {
    for (const mount of [adapter, `${adapter}-rest`]) {
      it(`${adapter} behind ${mount}: query, headers, cookies, JSON and bytes`, async () => {
        const hello = await call(`/${mount}/hello?a=1&b=%C3%A9`, { headers: { 'x-agent': 'test', cookie: 'c=d' } })
        assert.equal(hello.status, 200, await hello.clone().text())
        assert.deepEqual(await hello.json(), { query: { a: '1', b: 'é' }, agent: 'test', cookie: 'c=d' })
        assert.deepEqual(hello.headers.getSetCookie().sort(), ['a=1; Path=/', 'b=2; Path=/'])
        const echo = await post(`/${mount}/echo`, { text: 'é', list: [1] })
        assert.equal(echo.status, 201)
        assert.deepEqual(await echo.json(), { text: 'é', list: [1] })
        const bytes = await call(`/${mount}/bytes`)
        assert.equal(bytes.headers.get('content-type'), 'image/png')
        assert.deepEqual([...new Uint8Array(await bytes.arrayBuffer())], [0, 255, 254])
      })
    }
  }

  /** The parts of an answer as they arrive. */
  async function partsOf(response: Response): Promise<string[]> {
    const parts: string[] = []
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) parts.push(part)
    return parts
  }

  for (const path of ['/hono-stream', '/fetch/stream']) {
    it(`${path} is delivered as a stream`, async () => {
      const response = await call(path)
      assert.equal(response.status, 200)
      const parts = await partsOf(response)
      assert.equal(parts.join(''), 'onetwothree')
      assert.ok(parts.length > 1, `it came in ${parts.length} part`)
    })
  }

  it('middy: middleware before, after and on errors', async () => {
    const answer = await post('/middy/a%20b', { n: 1 })
    assert.deepEqual(await answer.json(), { id: 'a b', json: { n: 1 }, memory: '1024' })
    const refused = await post('/middy/1', { fail: true })
    assert.deepEqual([refused.status, await refused.text()], [422, 'refused'])
  })

  it('powertools logger', async () => {
    const answer = await call('/powertools')
    assert.equal(answer.status, 200, await answer.text())
  })

  it('a callback handler of a REST API, with its CORS', async () => {
    const answer = await call('/callback/7', { headers: { authorization: 'Bearer x', origin: 'https://a.example' } })
    assert.deepEqual(await answer.json(), { id: '7', stage: 'dev' })
    assert.equal(answer.headers.get('x-auth'), 'Bearer x')
    const headers = { origin: 'https://a.example', 'access-control-request-method': 'GET' }
    const preflight = await call('/callback/7', { method: 'OPTIONS', headers })
    assert.equal(preflight.status, 200)
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
  })

  it('CORS of an HTTP API: 204 for the preflight, headers on every answer', async () => {
    const headers = { origin: 'https://a.example', 'access-control-request-method': 'POST' }
    const preflight = await call('/middy/1', { method: 'OPTIONS', headers })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://a.example')
    const answer = await call('/powertools', { headers: { origin: 'https://a.example' } })
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://a.example')
    const failed = await call('/failing/throw', { headers: { origin: 'https://a.example' } })
    assert.equal(failed.headers.get('access-control-allow-origin'), 'https://a.example')
    const stranger = await call('/powertools', { headers: { origin: 'https://evil.example' } })
    assert.equal(stranger.headers.get('access-control-allow-origin'), null)
  })

  it('the short form', async () => {
    const answer = await post('/short/ada?b=2', { a: 1 })
    assert.equal(answer.status, 201)
    assert.equal(answer.headers.get('x-name'), 'ada')
    assert.deepEqual(await answer.json(), { a: 1, b: '2' })
  })

  it('a default export with fetch, and an app by its name', async () => {
    const answer = await call('/fetch/x?q=1', { method: 'PUT', body: 'hello' })
    assert.deepEqual(
      [answer.status, answer.headers.get('x-method'), answer.headers.get('x-q'), await answer.text()],
      [202, 'PUT', '1', 'hello'],
    )
    assert.equal(await (await call('/app')).text(), 'hono itself')
  })

  it('failures: the fixed answer of each kind, nothing of the error', async () => {
    for (const how of ['throw', 'exit', 'never', 'malformed', 'reject']) {
      const api = await call(`/failing/${how}`)
      assert.deepEqual([api.status, await api.text()], [500, '{"message":"Internal Server Error"}'], how)
      const rest = await call(`/failing-rest/${how}`)
      assert.deepEqual([rest.status, await rest.text()], [502, '{"message":"Internal server error"}'], how)
    }
    assert.equal((await call('/failing/none')).status, 200, 'and the next request is served')
  })
})
