/** A service with one function for each thing that the end-to-end test looks at. */
export const createServiceFiles = (): Record<string, string> => ({
  'package.json': JSON.stringify({ name: 'e2e', private: true }),
  'serverless.yml': `
service: e2e
frameworkVersion: '3'
provider: peerhost
plugins: [serverless-peerhost]
functions:
  free:
    handler: src/free.handler
    memorySize: 128
    events: [httpApi: 'GET /free/{id}']
  quote:
    handler: src/quote.handler
    price: 0.001
    memorySize: 128
    events: [httpApi: 'GET /quote/{sku}']
  paidThrow:
    handler: src/throw.handler
    price: 0.001
    memorySize: 128
    events: [httpApi: 'GET /paid-throw']
  hook:
    handler: src/hook.handler
    memorySize: 128
    environment: { KEY: public }
    events: [http: 'POST /hook']
  slow:
    handler: src/slow.handler
    price: 0.001
    memorySize: 128
    verification: none
    events: [httpApi: 'GET /slow']
`,
  'src/free.js': `
exports.handler = async (event) => ({
  path: event.rawPath, id: event.pathParameters.id, query: event.rawQueryString, probe: event.headers['x-probe'],
})
`,
  'src/quote.ts': `
interface Event { pathParameters: { sku: string } }
const prices: Record<string, number> = { tea: 3, coffee: 4 }
export const handler = async ({ pathParameters: { sku } }: Event) =>
  sku in prices ? { sku, price: prices[sku] } : { statusCode: 404, body: 'no such product' }
`,
  'src/throw.js': `exports.handler = async () => { throw new Error('on purpose') }`,
  'src/hook.mjs': `
import { createHmac } from 'node:crypto'
export const handler = (event, context, callback) => {
  const raw = event.isBase64Encoded ? Buffer.from(event.body, 'base64') : event.body
  const expected = createHmac('sha256', process.env.KEY).update(raw).digest('hex')
  const given = event.headers['x-signature'] ?? event.headers['X-Signature']
  callback(null, { statusCode: given === expected ? 200 : 401, body: '{}' })
}
`,
  'src/slow.js': `exports.handler = async () => { await new Promise((done) => setTimeout(done, 1000)); return { slow: true } }`,
})
