import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { testUsdcAbi } from '@peerhost/protocol'
import { Contract, JsonRpcProvider } from 'ethers'
import { type Browser, chromium, type Page } from 'playwright-core'
import { bundleForBrowser } from './support/browser-bundle.ts'
import type { PageAnswer, PageCall } from './support/browser-page.ts'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'
import { createService, type Service, serverless } from './support/serverless.ts'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const SERVICE = {
  'package.json': JSON.stringify({ name: 'browsed', private: true }),
  'serverless.yml': `
service: browsed
frameworkVersion: '3'
provider: { name: peerhost, httpApi: { cors: true } }
plugins: [serverless-peerhost]
functions:
  free:
    handler: handler.free
    verification: none
    events: [httpApi: 'ANY /free']
  quote:
    handler: handler.quote
    price: 0.001
    verification: none
    events: [httpApi: 'POST /quote/{sku}']
`,
  'handler.js': `
exports.free = async (event) => ({ free: event.requestContext.http.method })
exports.quote = async (event) => {
  const { sku } = event.pathParameters
  if (sku === 'nothing') return { statusCode: 404, body: 'no such product' }
  return { sku, ...JSON.parse(event.body) }
}
`,
}

// No inline script and no eval: a strict page has to be able to use the client.
const PAGE_HEADERS = { 'content-type': 'text/html', 'content-security-policy': "script-src 'self'" }
const PAGE = '<!doctype html><title>A shop</title><output></output><script src="/page.js"></script>'

const folder = mkdtempSync(join(tmpdir(), 'peerhost-browser-'))
let dev: DevNetwork
let service: Service
let site: Server
let browser: Browser
let provider: JsonRpcProvider
let page: Page
/** What went wrong in the page besides the answers. */
const complaints: string[] = []

before(async () => {
  await bundleForBrowser(join(import.meta.dirname, 'support/browser-page.ts'), folder)
  const script = readFileSync(join(folder, 'page.js'))
  site = createServer((request, response) => {
    if (request.url === '/') response.writeHead(200, PAGE_HEADERS).end(PAGE)
    else if (request.url === '/page.js') response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    else response.writeHead(204).end()
  })
  await new Promise<void>((listening) => site.listen(0, '127.0.0.1', listening))
  const executablePath = process.env.PEERHOST_CHROMIUM ?? '/usr/bin/chromium'
  browser = await chromium.launch({ executablePath, args: FLAGS })
  dev = await startDevNetwork({ args: ['--workers', '1'] })
  provider = new JsonRpcProvider(dev.network.rpcUrl, dev.network.chainId, { staticNetwork: true, cacheTimeout: -1 })
  service = createService(SERVICE)
  await serverless(['deploy'], service, dev.networkFile)
})
after(async () => {
  await browser?.close()
  site?.closeAllConnections()
  site?.close()
  provider?.destroy()
  await dev?.stop()
  service?.remove()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  await page?.close()
  page = await browser.newPage()
  complaints.length = 0
  page.on('pageerror', (error) => complaints.push(error.message))
  // Another origin than the gateway's: its name and its port differ.
  await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`)
})

const call = (path: string, options: Omit<PageCall, 'url'> = {}): Promise<PageAnswer> => {
  const url = `${dev.network.gatewayUrl}/run/${dev.network.accounts.developer.address}/browsed${path}`
  return page.evaluate((what) => (globalThis as unknown as { call(what: PageCall): Promise<PageAnswer> }).call(what), {
    url,
    ...options,
  })
}
const key = () => dev.network.accounts.payer.privateKey as `0x${string}`
const balance = async () =>
  (await new Contract(dev.network.usdc, testUsdcAbi, provider).balanceOf!(dev.network.accounts.payer.address)) as bigint
const order = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"pieces":12}' }

test('a page of another origin calls a free function and reads its receipt', async () => {
  for (const method of ['GET', 'PUT']) {
    const answer = await call('/free', { init: { method, headers: { 'content-type': 'application/json' } } })
    assert.equal(answer.status, 200)
    assert.deepEqual(JSON.parse(answer.body), { free: method })
    assert.equal(answer.receipt?.worker, answer.headers['peerhost-worker'])
    assert.equal(answer.receipt?.price, '0')
    assert.match(answer.headers['peerhost-start']!, /^(?:forked|cold)$/)
  }
  assert.deepEqual(complaints, [])
})

test('it pays for a function with a price, reads what became of the payment, and shows the body', async () => {
  const before = await balance()
  const answer = await call('/quote/tea', { key: key(), maxPrice: 1_000, init: order })
  assert.equal(answer.status, 200, answer.body)
  assert.deepEqual(JSON.parse(answer.body), { sku: 'tea', pieces: 12 })
  assert.deepEqual(answer.payments, [{ amount: '1000', success: true }])
  assert.equal(answer.receipt?.price, '1000')
  assert.ok(answer.headers['payment-response'])
  assert.equal(before - (await balance()), 1_000n)
  assert.equal(await page.textContent('output'), answer.body)
  assert.deepEqual(complaints, [])
})

test('it reads why it was refused, and a call that failed costs nothing', async () => {
  const before = await balance()
  const refused = await call('/quote/tea', { init: order })
  assert.equal(refused.status, 402)
  assert.equal(JSON.parse(refused.body).code, 'PH_PAY_REQUIRED')
  assert.ok(refused.headers['payment-required'])
  const missing = await call('/quote/nothing', { key: key(), maxPrice: 1_000, init: order })
  assert.equal(missing.status, 404)
  assert.equal(missing.receipt?.price, '0')
  const unknown = await call('/nowhere')
  assert.equal(unknown.status, 404)
  assert.equal(JSON.parse(unknown.body).code, 'PH_REQUEST_NO_ROUTE')
  await assert.rejects(call('/quote/tea', { key: key(), maxPrice: 999, init: order }), /0\.001 is above the limit/)
  assert.equal(await balance(), before)
})
