/** A service whose functions use the adapters and forms that handlers are commonly written with. */
export const adapterService: Record<string, string> = {
  'package.json': JSON.stringify({ name: 'adapters', private: true }),
  'serverless.yml': `
service: adapters
frameworkVersion: '3'
provider: { name: peerhost, httpApi: { cors: { allowedOrigins: ['https://a.example'] } } }
plugins: [serverless-peerhost]
functions:
  express:
    handler: src/express.handler
    events: [httpApi: 'ANY /express/{proxy+}', http: 'ANY express-rest/{proxy+}']
  vendia:
    handler: src/vendia.handler
    events: [httpApi: 'ANY /vendia/{proxy+}', http: 'ANY vendia-rest/{proxy+}']
  hono:
    handler: src/hono.handler
    events: [httpApi: 'ANY /hono/{proxy+}', http: 'ANY hono-rest/{proxy+}']
  honoStream:
    handler: src/hono.stream
    verification: none # a virtual clock would write all parts at once
    events: [httpApi: 'GET /hono-stream']
  middy:
    handler: src/middy.handler
    events: [httpApi: 'POST /middy/{id}']
  powertools:
    handler: src/powertools.handler
    events: [httpApi: 'GET /powertools']
  callback:
    handler: src/callback.handler
    events: [http: { path: 'callback/{id}', method: get, cors: true }]
  short:
    handler: src/short.default
    events: [httpApi: 'POST /short/{name}']
  fetch:
    handler: src/fetch.default
    verification: none
    events: [httpApi: 'ANY /fetch/{proxy+}']
  app:
    handler: src/app.app
    events: [httpApi: 'GET /app']
  failing:
    handler: src/failing.handler
    events: [httpApi: 'GET /failing/{how}', http: 'GET failing-rest/{how}']
`,
  'src/express-app.js': `
const express = require('express')
const app = express()
app.use(express.json())
app.use(express.urlencoded({ extended: false }))
const router = express.Router()
router.get('/hello', (request, response) => response.cookie('a', '1').cookie('b', '2').json({ query: request.query, agent: request.get('x-agent'), cookie: request.get('cookie') }))
router.post('/echo', (request, response) => response.status(201).json(request.body))
router.get('/bytes', (request, response) => response.type('image/png').send(Buffer.from([0, 255, 254])))
// serverless-express takes what {proxy+} of a REST API matched for the whole path
app.use('/', router)
app.use('/:mount', router)
module.exports = app
`,
  'src/express.js': `
const serverless = require('serverless-http')
exports.handler = serverless(require('./express-app'), { binary: ['image/*'] })
`,
  'src/vendia.js': `
const serverlessExpress = require('@vendia/serverless-express')
exports.handler = serverlessExpress({ app: require('./express-app') })
`,
  'src/hono.ts': `
import { Hono } from 'hono'
import { handle, streamHandle, type LambdaEvent } from 'hono/aws-lambda'
import { setCookie } from 'hono/cookie'
import { streamText } from 'hono/streaming'

const app = new Hono<{ Bindings: { event: LambdaEvent } }>()
app.get('/:mount/hello', (c) => {
  setCookie(c, 'a', '1')
  setCookie(c, 'b', '2')
  return c.json({ query: c.req.query(), agent: c.req.header('x-agent'), cookie: c.req.header('cookie') })
})
app.post('/:mount/echo', async (c) => c.json(await c.req.json(), 201))
app.get('/:mount/bytes', (c) => c.body(Uint8Array.of(0, 255, 254), 200, { 'content-type': 'image/png' }))
app.get('/hono-stream', (c) => streamText(c, async (stream) => {
  for (const part of ['one', 'two', 'three']) { await stream.write(part); await stream.sleep(150) }
}))
export const handler = handle(app)
export const stream = streamHandle(app)
`,
  'src/middy.mjs': `
import middy from '@middy/core'
const parse = { before: (request) => { request.event.json = JSON.parse(request.event.body) } }
const recover = { onError: (request) => { request.response = { statusCode: 422, body: request.error.message } } }
export const handler = middy().use(parse).use(recover).handler(async (event, context) => {
  if (event.json.fail) throw new Error('refused')
  return { statusCode: 200, body: JSON.stringify({ id: event.pathParameters.id, json: event.json, memory: context.memoryLimitInMB }) }
})
`,
  'src/powertools.ts': `
import { Logger } from '@aws-lambda-powertools/logger'
import type { APIGatewayProxyHandlerV2 } from 'aws-lambda'
const logger = new Logger({ serviceName: 'adapters' })
export const handler: APIGatewayProxyHandlerV2 = async (event, context) => {
  logger.addContext(context)
  logger.info('called', { path: event.rawPath })
  return { statusCode: 200, body: JSON.stringify(logger.getPersistentLogAttributes?.() ?? {}) }
}
`,
  'src/callback.js': `
exports.handler = (event, context, callback) => {
  setTimeout(() => callback(null, { statusCode: 200, headers: { 'x-auth': event.headers.Authorization }, body: JSON.stringify({ id: event.pathParameters.id, stage: event.requestContext.stage }) }), 5)
}
`,
  'src/short.ts': `
interface Request { params: Record<string, string>; query: Record<string, string>; json(): Promise<any> }
export default async (request: Request) => ({ status: 201, headers: { 'x-name': request.params.name }, body: { ...(await request.json()), ...request.query } })
`,
  'src/fetch.ts': `
const encoder = new TextEncoder()
export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (!url.pathname.endsWith('/stream')) return new Response(await request.text(), { status: 202, headers: { 'x-method': request.method, 'x-q': url.searchParams.get('q') ?? '' } })
    const body = new ReadableStream({
      async start(controller) {
        for (const part of ['one', 'two', 'three']) { controller.enqueue(encoder.encode(part)); await new Promise((done) => setTimeout(done, 150)) }
        controller.close()
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  },
}
`,
  'src/app.ts': `
import { Hono } from 'hono'
export const app = new Hono().get('/app', (c) => c.text('hono itself'))
`,
  'src/failing.js': `
exports.handler = async (event) => {
  const { how } = event.pathParameters
  if (how === 'throw') throw new Error('secret detail')
  if (how === 'exit') process.exit(0)
  if (how === 'never') await new Promise(() => {})
  if (how === 'malformed') return { statusCode: 200, body: { an: 'object' } }
  if (how === 'reject') { Promise.reject(new Error('secret detail')); await new Promise((done) => setTimeout(done, 500)) }
  return { statusCode: 200, body: 'fine' }
}
`,
}
