import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { MAX_BODY } from '@peerhost/protocol'
import { startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'

let network: TestNetwork
before(async () => {
  network = await startTestNetwork({ config: { limits: { headersTimeoutMs: 300, requestTimeoutMs: 600 } } })
  await network.worker(async ({ function: name, request, frame, send }) => {
    if (name === 'stream') {
      const { id } = frame
      send({ type: 'head', id, httpStatus: 200, headers: [['content-type', 'text/event-stream']] })
      send({ type: 'chunk', id, bytes: Buffer.from('one ') })
      await new Promise((resolve) => setTimeout(resolve, 50))
      send({ type: 'chunk', id, bytes: Buffer.from('two') })
      return { headers: [['content-type', 'text/event-stream']], body: 'one two' }
    }
    if (name === 'lying') {
      const lie = request!.query === 'header' ? 'text/html' : 'text/plain'
      send({ type: 'head', id: frame.id, httpStatus: 200, headers: [['content-type', lie]] })
      if (request!.query === 'header') send({ type: 'chunk', id: frame.id, bytes: Buffer.from('done') })
    }
    if (name === 'headers')
      return {
        headers: [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['peerhost-receipt', 'forged'],
          ['payment-response', 'forged'],
          ['content-length', '999'],
          ['bad name', 'x'],
          ['x-good', 'yes'],
        ],
        body: 'ok',
      }
    return { body: 'done' }
  })
  const cors = { origins: ['https://app.example'], headers: ['x-own'], allowCredentials: true }
  await network.deploy('shop', [
    { name: 'plain', routes: [{ method: 'ANY', path: '/plain' }] },
    { name: 'stream', routes: [{ path: '/stream' }] },
    { name: 'lying', routes: [{ path: '/lying' }] },
    { name: 'headers', routes: [{ path: '/headers' }] },
    { name: 'cors', price: 1000n, routes: [{ path: '/cors', cors }] },
    { name: 'free-cors', routes: [{ path: '/free-cors', cors }] },
    {
      name: 'checked',
      routes: [
        {
          method: 'POST',
          path: '/checked',
          kind: 'http',
          payload: '1.0',
          schemas: {
            'application/json': {
              type: 'object',
              required: ['sku'],
              properties: { sku: { type: 'string', pattern: '^(a+)+$' } },
            },
          },
        },
      ],
    },
  ])
})
after(() => network?.stop())

/** Sends bytes as they are and reads all that comes until the other side ends. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(network.gateway.port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (part) => {
      text += part
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}
const codeOf = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).code

test('a body above the limit is 413, announced or not', async () => {
  const body = new Uint8Array(MAX_BODY + 1)
  const announced = await fetch(network.url('shop', '/plain'), { method: 'POST', body })
  assert.equal(announced.status, 413)
  assert.equal(((await announced.json()) as { code: string }).code, 'PH_REQUEST_TOO_LARGE')
  const chunked = await fetch(network.url('shop', '/plain'), {
    method: 'POST',
    body: new Blob([body]).stream(),
    duplex: 'half',
  } as RequestInit)
  assert.equal(chunked.status, 413)
  const most = await fetch(network.url('shop', '/plain'), { method: 'POST', body: body.subarray(1) })
  assert.equal(most.status, 200)
})

test('headers above the limit are 431 with a code', async () => {
  const answer = await raw(`GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(20_000)}\r\n\r\n`)
  assert.match(answer, /^HTTP\/1.1 431 /)
  assert.equal(codeOf(answer), 'PH_REQUEST_HEADERS_TOO_LARGE')
})

test('what is not HTTP is 400 with a code', async () => {
  const answer = await raw('hello\r\n\r\n')
  assert.match(answer, /^HTTP\/1.1 400 /)
  assert.equal(codeOf(answer), 'PH_REQUEST_INVALID')
})

for (const [what, request] of [
  ['what is not HTTP', 'rubbish\r\n\r\n'],
  [
    'a WebSocket at a place that has none',
    'GET /x HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
  ],
] as const)
  test(`the connection of ${what} ends, also where its client leaves it open`, async () => {
    const { hostname, port } = new URL(network.gateway.url)
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    let isReset = false
    socket.on('error', () => {
      isReset = true
    })
    socket.resume()
    socket.write(request)
    await until(() => {
      if (!isReset) socket.write('x')
      return isReset
    }, 'the end of the connection')
  })

test('a request that comes too slowly is ended', async () => {
  const answer = await raw('GET / HTTP/1.1\r\nhost: x\r\n')
  assert.match(answer, /^HTTP\/1.1 408 /)
  assert.equal(codeOf(answer), 'PH_REQUEST_TIMEOUT')
})

test('a request target in absolute form is understood', async () => {
  const url = network.url('shop', '/plain')
  const answer = await raw(`GET ${url} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  assert.match(answer, /^HTTP\/1.1 200 /)
})

test('a path that is not valid percent-encoding reaches the function as it is', async () => {
  const { pathname } = new URL(network.url('shop', '/plain'))
  assert.match(await raw(`GET ${pathname}%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`), /^HTTP\/1.1 404 /)
  assert.match(await raw('GET /logs/%zz/a/b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), /^HTTP\/1.1 40[04] /)
})

test('a streamed response comes as it is made, its receipt as a trailer', async () => {
  const { pathname } = new URL(network.url('shop', '/stream'))
  const answer = await raw(`GET ${pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  assert.match(answer, /trailer: PEERHOST-RECEIPT/i)
  assert.match(answer, /one .*two/s)
  assert.match(answer, /PEERHOST-RECEIPT: [\w-]{500,}\r\n\r\n$/i)
  const text = await (await fetch(network.url('shop', '/stream'))).text()
  assert.equal(text, 'one two')
})

test('a stream whose receipt is of something else is cut, and counts as a failure of its worker', async () => {
  for (const url of ['/lying', '/lying?header']) {
    network.lines.length = 0
    await assert.rejects(fetch(network.url('shop', url)).then((response) => response.text()))
    assert.ok(
      network.lines.some((line) => line.includes('attempt failed') && line.includes('PH_WORKER_BAD_RECEIPT')),
      url,
    )
  }
})

test('a function cannot speak for the gateway in its headers, nor break the response', async () => {
  const response = await fetch(network.url('shop', '/headers'))
  assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
  assert.equal(response.headers.get('payment-response'), null)
  assert.notEqual(response.headers.get('peerhost-receipt'), 'forged')
  assert.equal(response.headers.get('x-good'), 'yes')
  assert.equal(await response.text(), 'ok')
})

test('a preflight is answered by the gateway, and lets payments through', async () => {
  const preflight = (origin: string) =>
    fetch(network.url('shop', '/cors'), {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'payment-signature',
      },
    })
  const allowed = await preflight('https://app.example')
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example')
  assert.match(allowed.headers.get('access-control-allow-headers')!, /x-own.*payment-signature/i)
  assert.equal((await preflight('https://evil.example')).headers.get('access-control-allow-origin'), null)
})

test('a page may read the offer of a 402 and the receipt of an answer', async () => {
  const headers = { origin: 'https://app.example' }
  const offer = await fetch(network.url('shop', '/cors'), { headers })
  assert.equal(offer.status, 402)
  assert.equal(offer.headers.get('access-control-allow-origin'), 'https://app.example')
  assert.match(offer.headers.get('access-control-expose-headers')!, /payment-required/i)
  const answer = await fetch(network.url('shop', '/free-cors'), { headers })
  assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example')
  assert.match(answer.headers.get('access-control-expose-headers')!, /peerhost-receipt/i)
})

test('a body that does not match the schema of its route is 400, and a schema that hangs stops nobody', async () => {
  const post = (body: unknown, type = 'application/json') =>
    fetch(network.url('shop', '/checked'), {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': type },
    })
  const code = async (response: Response) => ((await response.json()) as { code: string }).code
  assert.equal((await post({ sku: 'aaa' })).status, 200)
  assert.equal((await post({ sku: 1 }, 'application/x-other')).status, 200)
  const wrong = await post({})
  assert.equal(wrong.status, 400)
  assert.equal(await code(wrong), 'PH_REQUEST_SCHEMA')
  const hanging = post({ sku: `${'a'.repeat(60)}!` })
  const startedAt = Date.now()
  assert.equal((await fetch(network.url('shop', '/plain'))).status, 200)
  assert.ok(Date.now() - startedAt < 500)
  assert.equal(await code(await hanging), 'PH_REQUEST_SCHEMA')
  assert.equal((await post({ sku: 'aaa' })).status, 200)
})
