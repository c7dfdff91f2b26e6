import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPayingFetch } from '@peerhost/client'
import { decodeReceiptHeader, type Hex, NETWORKS, paymentVaultAbi, testUsdcAbi } from '@peerhost/protocol'
import { Contract, JsonRpcProvider, Wallet } from 'ethers'
import { type DevNetwork, type NetworkFile, startDevNetwork } from './support/dev-network.ts'
import { createService, type Service, serverless } from './support/serverless.ts'
import { createServiceFiles } from './support/shop-service.ts'

let dev: DevNetwork
let service: Service
let base: string
let provider: JsonRpcProvider
const scratch = mkdtempSync(join(tmpdir(), 'peerhost-e2e-'))

const network = (): NetworkFile => JSON.parse(readFileSync(dev.networkFile, 'utf8'))

before(async () => {
  dev = await startDevNetwork()
  service = createService(createServiceFiles())
  await serverless(['deploy'], service, dev.networkFile)
  base = `${dev.network.gatewayUrl}/run/${dev.network.accounts.developer.address}/e2e`
  provider = new JsonRpcProvider(dev.network.rpcUrl, dev.network.chainId, { staticNetwork: true, cacheTimeout: -1 })
})
after(async () => {
  provider?.destroy()
  await dev?.stop()
  service?.remove()
  rmSync(scratch, { recursive: true, force: true })
})

/** Runs the command line as a user would; never rejects. */
function peerhost(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, PEERHOST_NETWORK_FILE: dev.networkFile }
  return new Promise((resolve) => {
    execFile('peerhost', args, { env, cwd: scratch }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

const payer = () =>
  createPayingFetch({
    signer: dev.network.accounts.payer.privateKey as Hex,
    maxPrice: 100_000n,
    networks: [NETWORKS.local],
  })
const balanceOf = async (address: string) =>
  (await new Contract(dev.network.usdc, testUsdcAbi, provider).balanceOf!(address)) as bigint

async function until<T>(what: string, look: () => Promise<T | undefined | false>, ms = 20_000): Promise<T> {
  const deadline = Date.now() + ms
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`not in time: ${what}\n${dev.output()}`)
    await sleep(50)
  }
}

test('a free function answers as any URL, with a receipt, in both forms of its address', async () => {
  const answer = await fetch(`${base}/free/7?a=1&a=2`, { headers: { 'X-Probe': 'yes' } })
  assert.equal(answer.status, 200)
  const seen = (await answer.json()) as { path: string; id: string; query: string; probe: string }
  assert.deepEqual(seen, { path: '/free/7', id: '7', query: 'a=1&a=2', probe: 'yes' })
  const receipt = decodeReceiptHeader(answer.headers.get('peerhost-receipt')!)
  assert.equal(receipt.receipt.price, 0n)
  assert.equal(answer.headers.get('peerhost-worker'), receipt.receipt.worker)
  assert.match(answer.headers.get('peerhost-start')!, /^(forked|cold)$/)
  assert.match(answer.headers.get('server-timing')!, /dispatch;dur=.*run;dur=/)

  const { gatewayUrl, accounts } = dev.network
  const port = Number(new URL(gatewayUrl).port)
  const headers = {
    host: `${accounts.developer.address.toUpperCase()}.example.org`,
    'x-probe': 'yes',
  }
  const body = await new Promise<string>((resolve, reject) => {
    httpRequest({ port, path: '/e2e/free/7?a=1&a=2', headers }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
  assert.deepEqual(JSON.parse(body), seen)
  const shouted = base.replace(accounts.developer.address, accounts.developer.address.toUpperCase())
  assert.notEqual(shouted, base)
  assert.deepEqual(await (await fetch(`${shouted}/free/7?a=1&a=2`, { headers: { 'x-probe': 'yes' } })).json(), seen)
})

test('a function with a price: 402 without payment, an answer and a receipt that holds with it, its money divided', async () => {
  const refused = await fetch(`${base}/quote/tea`)
  assert.equal(refused.status, 402)
  assert.equal(((await refused.json()) as { code: string }).code, 'PH_PAY_REQUIRED')
  const [offer] = JSON.parse(Buffer.from(refused.headers.get('payment-required')!, 'base64').toString()).accepts
  assert.equal(offer.amount, '1000')
  const gateway = (await (await fetch(`${dev.network.gatewayUrl}/healthz`)).json()) as { gateway?: string }
  assert.ok(gateway)

  const before = await balanceOf(dev.network.accounts.payer.address)
  const saved = join(scratch, 'receipt.json')
  const call = await peerhost('call', `${base}/quote/tea`, '--save', saved)
  assert.equal(call.code, 0, call.stderr)
  assert.deepEqual(JSON.parse(call.stdout), { sku: 'tea', price: 3 })
  assert.match(call.stderr, /paid 0\.001 USDC/)
  assert.equal(before - (await balanceOf(dev.network.accounts.payer.address)), 1000n)
  assert.equal(await balanceOf(offer.payTo), 1000n)

  const executed = await peerhost('verify', saved, '--execute', '--json')
  assert.equal(executed.code, 0, executed.stdout + executed.stderr)
  const checks = JSON.parse(executed.stdout).checks as { name: string; ok: boolean | string }[]
  assert.equal(checks.find(({ name }) => name === 'execution')?.ok, true)
  await until('the batch is anchored', async () => {
    const { stdout } = await peerhost('verify', saved, '--json')
    const result = JSON.parse(stdout) as { ok: boolean; checks: { name: string; ok: boolean | string }[] }
    assert.equal(result.ok, true, stdout)
    return result.checks.find(({ name }) => name === 'anchored')?.ok === true
  })

  const { assignment } = JSON.parse(readFileSync(saved, 'utf8'))
  const developer = dev.network.accounts.developer
  const vault = new Contract(
    dev.network.contracts.PaymentVault!,
    paymentVaultAbi,
    new Wallet(developer.privateKey, provider),
  )
  assert.equal(
    String(await vault.accountOf!(assignment.gateway, developer.address)).toLowerCase(),
    offer.payTo.toLowerCase(),
  )
  await (await vault.sweep!(assignment.gateway, developer.address)).wait()
  assert.equal(await vault.balanceOf!(developer.address), 700n)
  assert.equal(await vault.balanceOf!(assignment.gateway), 50n)
  assert.equal(await vault.potReceived!(assignment.gateway), 200n)

  for (const change of [
    { body: Buffer.from('{"sku":"tea","price":2}').toString('base64') },
    { salt: `0x${'11'.repeat(32)}` },
  ]) {
    const forged = join(scratch, 'forged.json')
    writeFileSync(forged, JSON.stringify({ ...JSON.parse(readFileSync(saved, 'utf8')), ...change }))
    assert.equal((await peerhost('verify', forged)).code, 1)
  }
})

test('a receipt whose result cannot be compared holds, but --execute does not call it verified', async () => {
  const saved = join(scratch, 'trusted.json')
  assert.equal((await peerhost('call', `${base}/slow`, '--save', saved)).code, 0)
  assert.equal((await peerhost('verify', saved)).code, 0)
  const executed = await peerhost('verify', saved, '--execute')
  assert.equal(executed.code, 2, executed.stdout + executed.stderr)
  assert.match(executed.stdout, /^open +execution .*verification none/m)
  assert.match(executed.stdout, /The receipt holds; its result was not compared/)
})

test('a call that fails, or answers 400 and above, costs nothing and has a receipt that says so', async () => {
  const before = await balanceOf(dev.network.accounts.payer.address)
  const missing = await payer()(`${base}/quote/nothing`)
  assert.equal(missing.status, 404)
  const thrown = await payer()(`${base}/paid-throw`)
  assert.equal(thrown.status, 500)
  assert.deepEqual(await thrown.json(), { message: 'Internal Server Error' })
  const { receipt } = decodeReceiptHeader(thrown.headers.get('peerhost-receipt')!)
  assert.equal(receipt.status, 1)
  assert.equal(receipt.price, 0n)
  assert.equal(await balanceOf(dev.network.accounts.payer.address), before)
})

test('an answer that is lost on the way comes again for the same payment: charged once, run once', async () => {
  const before = await balanceOf(dev.network.accounts.payer.address)
  let lost: string | undefined
  const lossy: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const answer = await fetch(request)
    if (lost !== undefined || !request.headers.has('payment-signature')) return answer
    lost = answer.headers.get('peerhost-receipt')!
    await answer.arrayBuffer()
    throw new TypeError('the line is cut')
  }
  const { privateKey } = dev.network.accounts.payer
  const pay = createPayingFetch({
    signer: privateKey as Hex,
    maxPrice: 1000n,
    networks: [NETWORKS.local],
    fetch: lossy,
    retryDelayMs: 1,
  })
  const answer = await pay(`${base}/quote/tea`)
  assert.deepEqual(await answer.json(), { sku: 'tea', price: 3 })
  assert.equal(answer.headers.get('peerhost-receipt'), lost, 'the answer of the one run')
  assert.equal(before - (await balanceOf(dev.network.accounts.payer.address)), 1000n)
})

test('a webhook checks the signature of its raw body', async () => {
  const body = '{ "spaces":   "kept" , "é": 1 }'
  const signature = createHmac('sha256', 'public').update(body).digest('hex')
  const post = (headers: Record<string, string>) =>
    fetch(`${base}/hook`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
  assert.equal((await post({ 'x-signature': signature })).status, 200)
  assert.equal((await post({ 'x-signature': signature.replace(/^./, (c) => (c === '0' ? '1' : '0')) })).status, 401)
})

test('bad requests get an error with a code, and cost nothing', async () => {
  const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code?: string }).code]
  assert.deepEqual(await codeOf(await fetch(`${base}/nowhere/at/all`)), [404, 'PH_REQUEST_NO_ROUTE'])
  assert.deepEqual(await codeOf(await fetch(`${dev.network.gatewayUrl}/run/0x${'00'.repeat(20)}/none/x`)), [
    404,
    'PH_REQUEST_NO_ROUTE',
  ])
  assert.deepEqual(
    await codeOf(await fetch(`${base}/hook`, { method: 'POST', body: Buffer.alloc(6 * 1024 * 1024 + 1) })),
    [413, 'PH_REQUEST_TOO_LARGE'],
  )
  const huge = await fetch(`${base}/free/1`, { headers: { 'x-huge': 'h'.repeat(20_000) } })
  assert.deepEqual(await codeOf(huge), [431, 'PH_REQUEST_HEADERS_TOO_LARGE'])
  const unknown = await peerhost('call', `${base}/nowhere`)
  assert.equal(unknown.code, 1)
  const tooExpensive = await peerhost('call', `${base}/quote/tea`, '--max-price', '0.0001')
  assert.equal(tooExpensive.code, 1)
  assert.match(tooExpensive.stderr, /PH_PAY_TOO_EXPENSIVE/)
})

test('killing the worker that executes does not fail the request: another one answers, and it is charged once', async () => {
  const slow = `${base}/slow`
  const first = await payer()(slow) // has the function warm on one worker, which the next call goes to
  assert.equal(first.status, 200)
  const busy = first.headers.get('peerhost-worker')!
  const before = await balanceOf(dev.network.accounts.payer.address)
  const pid = network().pids.workers[busy]!
  const began = performance.now()
  const answering = payer()(slow)
  await until('the worker has the request', async () => {
    const metrics = await (await fetch(`${dev.network.gatewayUrl}/metrics`)).text()
    return Number(/^peerhost_gateway_requests_in_flight (\d+)/m.exec(metrics)?.[1] ?? 0) > 0
  })
  await sleep(300) // the function runs for a second: it is in the middle of it
  process.kill(pid, 'SIGKILL')
  const answer = await answering
  assert.equal(answer.status, 200)
  assert.notEqual(answer.headers.get('peerhost-worker'), busy)
  assert.equal(decodeReceiptHeader(answer.headers.get('peerhost-receipt')!).assignment.attempt, 1)
  assert.ok(performance.now() - began < 15_000, 'no longer than the function and finding out')
  assert.equal(before - (await balanceOf(dev.network.accounts.payer.address)), 1000n)
  await until('the worker is started again', async () => network().pids.workers[busy] !== pid)
})

test('a gateway that is killed comes back with its receipts and anchors them', async () => {
  const saved = join(scratch, 'survivor.json')
  const call = await peerhost('call', `${base}/quote/coffee`, '--save', saved)
  assert.equal(call.code, 0, call.stderr)
  const { gateway } = network().pids
  process.kill(gateway, 'SIGKILL')
  await until('the gateway is started again', async () => network().pids.gateway !== gateway)
  await until('a worker is back', async () => (await fetch(`${base}/free/1`).catch(() => undefined))?.status === 200)
  await until('the receipt is anchored', async () => {
    const { stdout } = await peerhost('verify', saved, '--json')
    const { checks } = JSON.parse(stdout) as { checks: { name: string; ok: boolean | string }[] }
    return checks.find(({ name }) => name === 'anchored')?.ok === true
  })
})

test('a second deploy without a change registers nothing; a changed function gets a version, the others keep theirs', async () => {
  const versions = async () => {
    const owner = dev.network.accounts.developer.address
    const answer = (await (await fetch(`${dev.network.gatewayUrl}/services?owner=${owner}&project=e2e`)).json()) as {
      services: { function: string; version: number }[]
    }
    return Object.fromEntries(answer.services.map((one) => [one.function, one.version]))
  }
  const before = await versions()
  await serverless(['deploy'], service, dev.networkFile)
  assert.deepEqual(await versions(), before)
  const file = join(service.dir, 'src/free.js')
  writeFileSync(file, readFileSync(file, 'utf8').replace('event.rawQueryString', '"changed:" + event.rawQueryString'))
  await serverless(['deploy'], service, dev.networkFile)
  assert.deepEqual(await versions(), { ...before, free: before.free! + 1 })
  assert.equal(((await (await fetch(`${base}/free/7?a=1`)).json()) as { query: string }).query, 'changed:a=1')
})
