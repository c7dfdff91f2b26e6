import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, bodyOf, complete, REQUEST_ID, run, type TestInvocation } from './testing/run.ts'

const short = (body: string, invocation?: TestInvocation) =>
  complete(`exports.default = async (request) => { ${body} }`, invocation, { handler: 'src/hello.default' })
const web = (body: string, invocation?: TestInvocation) =>
  complete(`exports.default = { async fetch(request, env, context) { ${body} } }`, invocation, {
    handler: 'src/hello.default',
  })

const parts = (answer: Answer) => {
  assert.equal(answer.call, 'whole', JSON.stringify(answer))
  const { httpStatus, headers } = answer.value
  return { httpStatus, headers, body: bodyOf(answer) }
}
const text: [string, string] = ['content-type', 'text/plain;charset=UTF-8']
const json: [string, string] = ['content-type', 'application/json']

test('the request of the short form', async () => {
  const answer = await short(
    'return { body: { ...request, body: request.body.toString(), isBuffer: Buffer.isBuffer(request.body), json: await request.json(), text: await request.text() } }',
    {
      request: {
        query: 'a=1&a=2&b=x%20y',
        headers: [
          ['accept', 'a'],
          ['accept', 'b'],
          ['cookie', 'c=d'],
        ],
      },
      body: '{"n":1}',
    },
  )
  assert.deepEqual(JSON.parse(parts(answer).body), {
    method: 'POST',
    url: 'https://shop.example/users/a%20b?a=1&a=2&b=x%20y',
    path: '/users/a%20b',
    query: { a: '2', b: 'x y' },
    headers: { accept: 'a, b', cookie: 'c=d', host: 'shop.example' },
    params: { id: 'a b' },
    body: '{"n":1}',
    id: REQUEST_ID,
    ip: '192.0.2.1',
    isBuffer: true,
    json: { n: 1 },
    text: '{"n":1}',
  })
})

test('answers of the short form', async (t) => {
  const cases: [source: string, httpStatus: number, headers: [string, string][], body: string][] = [
    ['return { status: 201, headers: { "X-A": 1 }, body: "x" }', 201, [['x-a', '1'], text], 'x'],
    ['return { body: { a: 1 } }', 200, [json], '{"a":1}'],
    ['return { body: Buffer.from("x") }', 200, [['content-type', 'application/octet-stream']], 'x'],
    [
      'return { headers: { "content-type": "image/png" }, body: new Uint8Array([65]) }',
      200,
      [['content-type', 'image/png']],
      'A',
    ],
    [
      'return { headers: { "set-cookie": ["a=1", "b=2"] }, status: 204 }',
      204,
      [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
      '',
    ],
    ['return { headers: new Headers({ a: "b" }), body: "" }', 200, [['a', 'b'], text], ''],
    ['return { body: new Blob(["x"], { type: "text/css" }) }', 200, [['content-type', 'text/css']], 'x'],
    ['return "x"', 200, [text], 'x'],
    ['return new Response("x", { status: 202 })', 202, [text], 'x'],
    ['return Response.json({ a: 1 })', 200, [json], '{"a":1}'],
    ['return { statusCode: 203, body: "x" }', 203, [text], 'x'],
  ]
  for (const [source, httpStatus, headers, body] of cases) {
    await t.test(source, async () => assert.deepEqual(parts(await short(source)), { httpStatus, headers, body }))
  }
})

test('what is no answer fails', async (t) => {
  for (const source of [
    'return undefined',
    'return 5',
    'return { a: 1 }',
    'return { status: 99 }',
    'return { headers: { x: "a\\r\\nb" } }',
    'return Response.error()',
  ]) {
    await t.test(source, async () => {
      const answer = await short(source)
      assert.equal(answer.call === 'failed' && answer.value.errorType, 'Runtime.MalformedResponse')
    })
  }
  const thrown = await short('await request.json()', { body: '{' })
  assert.equal(thrown.call === 'failed' && thrown.value.errorType, 'SyntaxError')
})

test('a default export with two parameters, and one marked for streaming, is a Lambda handler', async () => {
  const lambda = await complete(
    'exports.default = async (event, context) => ({ statusCode: 200, body: event.rawPath + context.functionName })',
    {},
    { handler: 'x.default' },
  )
  assert.equal(parts(lambda).body, '/users/a%20bhello')
  const { answers } = await run(
    'exports.default = awslambda.streamifyResponse(async (event, stream) => { stream.end("x") })',
    {},
    { handler: 'x.default' },
  )
  assert.equal(answers[0]?.call, 'head')
})

test('a CommonJS module is its own default export', async () => {
  const answer = await complete(
    'module.exports = (request) => ({ body: request.method })',
    {},
    { handler: 'x.default' },
  )
  assert.equal(parts(answer).body, 'POST')
})

test('fetch: Request in, Response out', async () => {
  const source = `const { n } = await request.json()
    const headers = new Headers({ 'x-url': request.url, 'x-auth': request.headers.get('authorization'), 'x-host': request.headers.get('host') })
    headers.append('set-cookie', 'a=1'); headers.append('set-cookie', 'b=2')
    return new Response(String(n + 1), { status: 201, headers })`
  const answer = parts(
    await web(source, { body: '{"n":1}', request: { headers: [['authorization', 'k']], query: 'q=1' } }),
  )
  assert.equal(answer.httpStatus, 201)
  assert.equal(answer.body, '2')
  const expected = [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['x-url', 'https://shop.example/users/a%20b?q=1'],
    ['x-auth', 'k'],
    ['x-host', 'shop.example'],
    text,
  ]
  assert.deepEqual([...answer.headers].sort(), expected.sort())
})

test('fetch: environment, context and work that goes on while the answer waits', async () => {
  const source = `context.waitUntil(new Promise((done) => setTimeout(done, 5)).then(() => console.log('background done')))
    return new Response(env.A + context.functionName)`
  const { answers, stdout } = await run(
    `exports.default = { async fetch(request, env, context) { ${source} } }`,
    {},
    { handler: 'x.default', environment: { A: 'a' } },
  )
  assert.equal(bodyOf(answers[0]!), 'ahello')
  assert.match(stdout, /background done/)
})

test('fetch: a named export that is an object, and a class with its own state', async () => {
  const source = `class App { greeting = 'hi'; async fetch() { return new Response(this.greeting) } }
    exports.app = new App()`
  assert.equal(parts(await complete(source, {}, { handler: 'src/x.app' })).body, 'hi')
})

test('a body that takes its time is streamed, one that does not is sent whole', async () => {
  const stream = (wait: number) => `return new Response(new ReadableStream({
    async start(controller) {
      for (const part of ['a', 'b']) { controller.enqueue(new TextEncoder().encode(part)); await new Promise((done) => ${wait} ? setTimeout(done, ${wait}) : done()) }
      controller.close()
    } }), { headers: { 'content-type': 'text/event-stream' } })`
  const { answers } = await run(`exports.default = { async fetch() { ${stream(10)} } }`, {}, { handler: 'x.default' })
  assert.deepEqual(
    answers.map(({ call }) => call),
    ['head', 'chunk', 'chunk', 'end', 'returned'],
  )
  assert.deepEqual(answers[0]?.value, { httpStatus: 200, headers: [['content-type', 'text/event-stream']] })
  assert.equal(parts(await web(stream(0))).body, 'ab')
  const generator = await run(
    `exports.default = async () => ({ body: (async function* () { yield 'a'; await new Promise((d) => setTimeout(d, 5)); yield 'b' })() })`,
    {},
    { handler: 'x.default' },
  )
  assert.deepEqual(
    generator.answers.map(({ call }) => call),
    ['head', 'chunk', 'chunk', 'end', 'returned'],
  )
})

test('a body that fails in the middle fails the answer; one that never ends too', async () => {
  const failing = await run(
    `exports.default = async () => ({ body: (async function* () { yield 'a'; await new Promise((d) => setTimeout(d, 5)); throw new TypeError('x') })() })`,
    {},
    { handler: 'x.default' },
  )
  assert.deepEqual(
    failing.answers.map(({ call }) => call),
    ['head', 'chunk', 'failed', 'returned'],
  )
  const endless = await run(
    'exports.default = async () => ({ body: new ReadableStream({}) })',
    {},
    { handler: 'x.default' },
  )
  assert.deepEqual(
    endless.answers.map(({ call }) => call),
    ['head', 'failed', 'returned'],
  )
})

test('a raw event reaches the short forms as the body of a POST', async () => {
  const event: TestInvocation = { kind: 'event', body: '{"n":1}' }
  const answer = await short(
    'return { headers: { "set-cookie": "a=1" }, body: { path: request.path, ...(await request.json()) } }',
    event,
  )
  assert.deepEqual(JSON.parse(bodyOf(answer)), {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"path":"/","n":1}',
    isBase64Encoded: false,
    cookies: ['a=1'],
  })
  const bytes = await web('return new Response(new Uint8Array([255]))', event)
  assert.deepEqual(JSON.parse(bodyOf(bytes)), { statusCode: 200, headers: {}, body: '/w==', isBase64Encoded: true })
})
