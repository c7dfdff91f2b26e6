import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readService } from './read-service.ts'
import type { Loose, ServiceInput } from './types.ts'

const service = (functions: Record<string, Loose>, more: Partial<ServiceInput> = {}) =>
  readService({
    service: 'shop',
    stage: 'dev',
    provider: { name: 'peerhost' },
    topLevel: {},
    ...more,
    functions: Object.fromEntries(
      Object.entries(functions).map(([name, fn]) => [name, { handler: `${name}.handler`, ...fn }]),
    ),
  })
/** One function `f` with these keys. */
const read = (definition: Loose, more?: Partial<ServiceInput>) => service({ f: definition }, more).functions[0]!
const code =
  (expected: string, includes = '') =>
  (error: { code: string; message: string }) =>
    error.code === expected && error.message.includes(includes)
const routesOf = (...events: unknown[]) => read({ events }).routes

test('defaults are those of AWS, with no price, no egress and the class that can be re-executed', () => {
  assert.deepEqual(read({}), {
    name: 'f',
    handler: 'f.handler',
    routes: [],
    price: '0',
    timeout: 6,
    memorySize: 1024,
    egress: [],
    verification: 'deterministic',
    publicHeaders: [],
    environment: {},
  })
})

test('a function goes before the provider; environments are joined', () => {
  const provider = { name: 'peerhost', timeout: 10, memorySize: 512, environment: { A: 'provider', B: 1, GONE: 'x' } }
  const fn = read(
    { timeout: '20', memorySize: '1536MB', environment: { A: true, C: 'function', GONE: null } },
    { provider },
  )
  assert.equal(fn.timeout, 20)
  assert.equal(fn.memorySize, 1536)
  assert.deepEqual(fn.environment, { A: 'true', B: '1', C: 'function' })
  assert.equal(read({}, { provider }).timeout, 10)
})

test('a project is the service on stage dev, and carries any other stage', () => {
  assert.equal(service({}).project, 'shop')
  assert.equal(service({}, { stage: 'prod' }).project, 'shop-prod')
  assert.equal(read({ events: [{ http: 'GET a' }] }, { stage: 'prod' }).stage, 'prod')
  assert.equal(read({ events: [{ http: 'GET a' }] }).stage, undefined)
  assert.equal(read({ events: [{ httpApi: 'GET /a' }] }, { stage: 'prod' }).stage, undefined)
  assert.throws(() => service({}, { service: 'metrics' }), code('PH_CONFIG_PROJECT_RESERVED'))
  assert.throws(() => service({}, { service: 'Run' }), code('PH_CONFIG_PROJECT_RESERVED'))
  assert.throws(() => service({}, { service: 'a/b' }), code('PH_CONFIG_PROJECT_INVALID'))
  assert.throws(() => service({}, { service: 'x'.repeat(65) }), code('PH_CONFIG_PROJECT_INVALID'))
})

test('prices are USDC with at most six decimals', () => {
  assert.equal(read({ price: 0.001 }).price, '1000')
  assert.equal(read({ price: '12.5' }).price, '12500000')
  assert.equal(read({ price: 0.000001 }).price, '1')
  assert.equal(read({ price: 0 }).price, '0')
  for (const price of [-1, '-0.1', 0.0000001, '0.0000001', 'free', '1,5', '', true, {}, Number.NaN, '1e3']) {
    assert.throws(() => read({ price }), code('PH_CONFIG_PRICE_INVALID'), String(price))
  }
})

test('http events in every notation', () => {
  const plain = { kind: 'http', payload: '1.0' }
  assert.deepEqual(
    routesOf(
      { http: 'GET users/{id}' },
      { http: { method: 'any', path: '/{proxy+}' } },
      { http: { method: 'post', path: '/' } },
    ),
    [
      { ...plain, method: 'GET', path: '/users/{id}' },
      { ...plain, method: 'ANY', path: '/{proxy+}' },
      { ...plain, method: 'POST', path: '/' },
    ],
  )
  const [get, put] = routesOf(
    { http: { method: 'get', path: 'a', cors: true } },
    {
      http: {
        method: 'put',
        path: 'a/',
        cors: { origin: 'https://a.example', headers: ['X-One'], allowCredentials: true, maxAge: 60 },
      },
    },
  )
  assert.deepEqual(get!.cors!.methods, ['OPTIONS', 'GET', 'PUT'])
  assert.deepEqual(get!.cors!.origins, ['*'])
  assert.deepEqual(put!.cors, {
    origins: ['https://a.example'],
    headers: ['X-One'],
    methods: ['OPTIONS', 'GET', 'PUT'],
    allowCredentials: true,
    maxAge: 60,
  })
})

test('httpApi events in every notation, with payload and cors of the provider', () => {
  const plain = { kind: 'httpApi', payload: '2.0' }
  assert.deepEqual(routesOf({ httpApi: '*' }), [{ ...plain, method: 'ANY', path: '/{default+}', catchAll: true }])
  assert.deepEqual(routesOf({ httpApi: { method: '*', path: '*' } }), routesOf({ httpApi: '*' }))
  assert.deepEqual(
    routesOf({ httpApi: 'GET /users/{id}' }, { httpApi: { method: '*', path: '/x/{any+}' } }, { httpApi: '* /y' }),
    [
      { ...plain, method: 'GET', path: '/users/{id}' },
      { ...plain, method: 'ANY', path: '/x/{any+}' },
      { ...plain, method: 'ANY', path: '/y' },
    ],
  )
  const provider = {
    name: 'peerhost',
    httpApi: {
      payload: 1,
      cors: { allowedOrigins: ['https://a.example'], exposedResponseHeaders: 'X-A, X-B', maxAge: 5 },
    },
  }
  const { routes } = read({ events: [{ httpApi: 'GET /a' }] }, { provider })
  assert.equal(routes[0]!.payload, '1.0')
  assert.deepEqual(routes[0]!.cors!.exposedHeaders, ['X-A', 'X-B'])
  assert.deepEqual(routes[0]!.cors!.methods, ['OPTIONS', 'GET'])
  assert.equal(
    read({ httpApi: { payload: '2.0' }, events: [{ httpApi: 'GET /a' }] }, { provider }).routes[0]!.payload,
    '2.0',
  )
  assert.throws(() => read({ httpApi: { payload: '3.0' } }), code('PH_CONFIG_INVALID'))
})

test('malformed routes are refused', () => {
  for (const route of ['/users', 'FETCH /a', 'GET /a/{p+}/b', 'GET /a b', 'GET /a//b', 'GET /{}', '', 'GET *']) {
    assert.throws(() => routesOf({ httpApi: route }), code('PH_CONFIG_ROUTE_INVALID'), route)
  }
  assert.throws(() => routesOf({ http: { method: 'get' } }), code('PH_CONFIG_ROUTE_INVALID'))
  assert.throws(() => routesOf({ http: 5 }), code('PH_CONFIG_ROUTE_INVALID'))
})

test('two functions cannot have one route, whatever its parameters are called', () => {
  const both = (a: unknown, b: unknown) => () => service({ a: { events: [a] }, b: { events: [b] } })
  assert.throws(
    both({ httpApi: 'GET /u/{id}' }, { httpApi: 'GET /u/{name}' }),
    code('PH_CONFIG_ROUTE_DUPLICATE', '"a" and "b"'),
  )
  assert.throws(both({ http: 'GET u' }, { httpApi: 'GET /u/' }), code('PH_CONFIG_ROUTE_DUPLICATE'))
  assert.throws(both({ httpApi: '*' }, { httpApi: '*' }), code('PH_CONFIG_ROUTE_DUPLICATE'))
  both({ httpApi: 'GET /u/{id}' }, { httpApi: 'ANY /u/{id}' })()
  both({ httpApi: 'GET /u/{id}' }, { httpApi: 'GET /u/me' })()
  both({ httpApi: 'GET /{proxy+}' }, { httpApi: '*' })()
})

test('request schemas are taken along, by name too', () => {
  const schema = { $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' }
  const provider = {
    name: 'peerhost',
    apiGateway: { binaryMediaTypes: ['image/png'], request: { schemas: { order: { name: 'Order', schema } } } },
  }
  const event = (schemas: Loose) => ({ http: { method: 'post', path: 'a', request: { schemas } } })
  for (const given of [
    { 'Application/JSON': schema },
    { 'application/json': { schema } },
    { 'application/json': 'order' },
  ]) {
    const [route] = read({ events: [event(given)] }, { provider }).routes
    assert.deepEqual(route!.schemas, { 'application/json': { type: 'object' } })
    assert.deepEqual(route!.binaryMediaTypes, ['image/png'])
  }
  assert.throws(
    () => read({ events: [event({ 'application/json': 'unknown' })] }, { provider }),
    code('PH_CONFIG_INVALID'),
  )
})

test('egress and verification go together only as none', () => {
  assert.deepEqual(read({ egress: ['API.example.com', 'db.example.com:5432', 'api.example.com'] }).egress, [
    'api.example.com',
    'db.example.com:5432',
  ])
  assert.equal(read({ egress: 'a.example' }).verification, 'none')
  assert.equal(read({ verification: 'public' }).verification, 'public')
  assert.throws(
    () => read({ egress: 'a.example', verification: 'deterministic' }),
    code('PH_CONFIG_VERIFICATION_INVALID'),
  )
  assert.throws(() => read({ verification: 'sure' }), code('PH_CONFIG_VERIFICATION_INVALID'))
  for (const host of [
    'https://a.example',
    '*.example.com',
    'a b',
    'a.example:0',
    'a.example:70000',
    '10.0.0.0/8',
    '-a.example',
    'a..b',
  ]) {
    assert.throws(() => read({ egress: [host] }), code('PH_CONFIG_EGRESS_INVALID'), host)
  }
})

test('what would break a function is an error', () => {
  for (const runtime of ['python3.12', 'provided.al2023', 'java21', 'nodejs-x']) {
    assert.throws(() => read({ runtime }), code('PH_CONFIG_RUNTIME_UNSUPPORTED'), runtime)
    assert.throws(() => read({}, { provider: { name: 'peerhost', runtime } }), code('PH_CONFIG_RUNTIME_UNSUPPORTED'))
  }
  assert.throws(() => read({ image: 'x' }), code('PH_CONFIG_RUNTIME_UNSUPPORTED'))
  read({ runtime: 'nodejs18.x' })
  read({ runtime: 'nodejs' })
  assert.throws(
    () => read({ environment: { TABLE: { Ref: 'Table' } } }),
    code('PH_CONFIG_ENVIRONMENT_INVALID', 'TABLE'),
  )
  assert.throws(() => read({ environment: { 'a-b': 'x' } }), code('PH_CONFIG_ENVIRONMENT_INVALID'))
  assert.throws(
    () => read({ events: [{ sqs: 'arn' }, { s3: 'bucket' }] }),
    code('PH_CONFIG_EVENT_UNSUPPORTED', 'sqs, s3'),
  )
  assert.throws(
    () => read({ events: [{ http: { path: 'a', method: 'get', integration: 'lambda' } }] }),
    code('PH_CONFIG_EVENT_UNSUPPORTED'),
  )
  assert.throws(
    () => read({ events: [{ http: { path: 'a', method: 'get', authorizer: 'auth' } }] }),
    code('PH_CONFIG_AUTHORIZER_UNSUPPORTED'),
  )
  assert.throws(
    () => read({ events: [{ httpApi: { path: '/a', method: 'get', authorizer: { name: 'jwt' } } }] }),
    code('PH_CONFIG_AUTHORIZER_UNSUPPORTED'),
  )
  for (const timeout of [0, 901, 1.5, 'long'])
    assert.throws(() => read({ timeout }), code('PH_CONFIG_INVALID', 'timeout'))
  for (const memorySize of [0, 32, 20000, '1GB'])
    assert.throws(() => read({ memorySize }), code('PH_CONFIG_INVALID', 'memorySize'))
  assert.throws(() => read({ handler: undefined }), code('PH_CONFIG_HANDLER_NOT_FOUND'))
})

test('what is ignored is named once a kind', () => {
  const { warnings, functions } = service(
    {
      a: {
        events: [{ http: 'GET a' }, { schedule: 'rate(1 hour)' }],
        vpc: {},
        tags: {},
        description: { 'Fn::Sub': 'x' },
      },
      b: { events: [{ httpApi: 'GET /b' }, { schedule: 'rate(1 day)' }], vpc: {} },
      c: { events: [{ http: { path: 'c', method: 'get', private: true } }] },
    },
    {
      provider: { name: 'peerhost', region: 'eu-west-1', iam: {}, vpc: {}, lambdaHashingVersion: 1 },
      topLevel: { service: 'shop', resources: {}, org: 'acme' },
    },
  )
  const about = (word: string) => warnings.filter((line) => line.includes(word))
  assert.equal(about('schedule (a, b)').length, 1)
  assert.equal(about('"vpc" (a, b)').length, 1)
  assert.equal(about('provider.vpc').length, 1)
  assert.equal(about('provider.iam').length, 1)
  assert.equal(about('"private" (c)').length, 1)
  assert.equal(about('Ignored: resources').length, 1)
  assert.equal(about('Ignored: org').length, 1)
  assert.equal(warnings.length, 8)
  assert.equal(functions[0]!.description, undefined)
})

test('what becomes public is said', () => {
  const { warnings } = service({
    a: { environment: { STRIPE_KEY: 'x' } },
    b: { verification: 'public', publicHeaders: ['Authorization'] },
    c: { publicHeaders: ['cookie'] },
  })
  assert.ok(warnings.some((line) => line.includes('STRIPE_KEY') && line.includes('public')))
  assert.ok(warnings.some((line) => line.includes('are published: b')))
  assert.ok(warnings.some((line) => line.includes('"publicHeaders" (c)')))
})

test('a warm-up is a request line, a request or an event', () => {
  assert.deepEqual(read({ warmup: 'GET /quote/1?x=2' }).warmup, { method: 'GET', path: '/quote/1?x=2' })
  assert.deepEqual(
    read({ warmup: { method: 'post', path: '/a', headers: { 'X-A': 1 }, body: { a: 1 }, rounds: 20 } }).warmup,
    {
      method: 'POST',
      path: '/a',
      headers: { 'x-a': '1' },
      body: '{"a":1}',
      rounds: 20,
    },
  )
  assert.deepEqual(read({ warmup: { event: { a: 1 }, rounds: 2 } }).warmup, { event: { a: 1 }, rounds: 2 })
  assert.deepEqual(read({ warmup: { Records: [] } }).warmup, { event: { Records: [] } })
  assert.throws(() => read({ warmup: 'health' }), code('PH_CONFIG_ROUTE_INVALID'))
  assert.throws(() => read({ warmup: 5 }), code('PH_CONFIG_INVALID'))
})

test('configuration of a bundler that is not there is said to be ignored', () => {
  const warnings = (topLevel: Record<string, unknown>) => service({}, { topLevel }).warnings.join('\n')
  const custom = { webpack: { webpackConfig: 'webpack.config.js' } }
  assert.match(warnings({ custom, plugins: ['serverless-peerhost'] }), /Ignored: custom\.webpack: .*serverless-webpack/)
  assert.equal(warnings({ custom, plugins: ['serverless-webpack', 'serverless-peerhost'] }), '')
  assert.equal(warnings({ custom, plugins: { modules: ['serverless-webpack'] } }), '')
})

test('files that a package would have included beside the code are said to be missing', () => {
  const warnings = (patterns: string[]) => service({ f: { package: { patterns } } }).warnings.join('\n')
  assert.match(warnings(['!**', 'templates/**']), /Ignored: package\.patterns \(f\): .*read at run time/)
  assert.equal(warnings(['!node_modules/**']), '')
  assert.match(service({}, { topLevel: { package: { include: ['a.txt'] } } }).warnings.join(), /package\.patterns: /)
})

test('what AWS alone knows is refused where it is used', () => {
  const value = '[AWS only: ssm:/origin]'
  assert.throws(() => read({ environment: { A: `x${value}` } }), code('PH_CONFIG_ENVIRONMENT_INVALID'))
  const provider = { name: 'peerhost', httpApi: { cors: { allowedOrigins: [value] } }, vpc: value }
  assert.throws(
    () => read({ events: [{ httpApi: 'GET /a' }] }, { provider }),
    code('PH_CONFIG_INVALID', 'ssm:/origin has no value'),
  )
  assert.equal(read({ description: value }, { provider: { name: 'peerhost', vpc: value } }).name, 'f')
})
