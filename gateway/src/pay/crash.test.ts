import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Script } from '../testing/scripted-worker.ts'
import { startTestNetwork, type TestNetwork, until, untilAnswered } from '../testing/test-network.ts'
import { offerOf, signPayment } from '../testing/x402.ts'

let network: TestNetwork
let gateway: ChildProcess | undefined
let runs = 0
let url: string

before(async () => {
  network = await startTestNetwork()
  await network.deploy('shop', [{ name: 'paid', price: 1000n, routes: [{ path: '/paid' }] }])
  url = network.url('shop', '/paid')
  await network.gateway.close() // from here on it runs in a process of its own
})
after(async () => {
  gateway?.kill('SIGKILL')
  await network?.stop()
})

async function start(script: Script = () => ({ body: `run ${++runs}` })): Promise<void> {
  const { log: _, ...config } = network.config
  const program = fileURLToPath(new URL('../testing/gateway-process.ts', import.meta.url))
  gateway = spawn(process.execPath, [program, JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: gateway.stdout! })
  await new Promise((resolve, reject) => {
    lines.once('line', resolve)
    gateway!.once('exit', () => reject(new Error('the gateway ended')))
  })
  await network.worker(script)
}

async function kill(): Promise<void> {
  const gone = new Promise((resolve) => gateway!.once('exit', resolve))
  gateway!.kill('SIGKILL')
  await gone
}

const pay = (header: string, signal?: AbortSignal) => fetch(url, { headers: { 'payment-signature': header }, signal })
const sign = async () => (await signPayment(await offerOf(url), network.payer.privateKey)).header
const mine = async (on: boolean) => {
  await network.chain.provider.send('evm_setAutomine', [on])
  if (on) await network.chain.provider.send('evm_mine', [])
}
const pending = async () =>
  Number((await network.chain.provider.send('eth_getBlockByNumber', ['pending', true])).transactions.length)

test('a gateway killed while the function runs charges nothing, and the payment is good after it is back', async () => {
  const before = await network.usdcOf(network.payer.address)
  const started = Promise.withResolvers<void>()
  await start(() => {
    started.resolve()
    return undefined
  })
  const header = await sign()
  const lost = pay(header).catch(() => 'lost')
  await started.promise
  await kill()
  assert.equal(await lost, 'lost')

  await start()
  const response = await pay(header)
  assert.equal(response.status, 200)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('a gateway killed while the chain takes the money gives the answer when the same request comes again', async () => {
  const before = await network.usdcOf(network.payer.address)
  const ran = runs
  const header = await sign()
  await mine(false)
  const lost = pay(header).catch(() => 'lost')
  await until(async () => (await pending()) > 0, 'the transaction')
  await kill()
  assert.equal(await lost, 'lost')
  await mine(true)

  await start()
  const response = await pay(header)
  assert.equal(response.status, 200)
  assert.equal(await response.text(), `run ${ran + 1}`)
  assert.ok(response.headers.get('peerhost-receipt'))
  assert.equal(runs, ran + 1)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
  assert.equal((await pay(header)).status, 402)
})

test('a client that leaves before its answer gets it when it comes back with the same payment', async () => {
  const before = await network.usdcOf(network.payer.address)
  const ran = runs
  const header = await sign()
  await mine(false)
  const leaving = new AbortController()
  const left = pay(header, leaving.signal).catch(() => 'left')
  await until(async () => (await pending()) > 0, 'the transaction')
  leaving.abort()
  assert.equal(await left, 'left')
  assert.equal((await pay(header)).status, 402) // still under way
  await mine(true)
  const response = await untilAnswered(() => pay(header))
  assert.equal(await response.text(), `run ${ran + 1}`)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})
