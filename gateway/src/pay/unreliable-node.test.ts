import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { createSender } from '@peerhost/chain'
import { Wallet } from 'ethers'
import { type RpcProxy, startRpcProxy } from '../testing/rpc-proxy.ts'
import { startTestNetwork, type TestNetwork, untilAnswered } from '../testing/test-network.ts'
import { offerOf, signPayment } from '../testing/x402.ts'
import { readPayment, transferCall } from './authorization.ts'

let network: TestNetwork
let node: RpcProxy
let url: string
let runs = 0
let answer: (() => Promise<void>) | undefined

before(async () => {
  network = await startTestNetwork()
  node = await startRpcProxy(network.chain.rpcUrl)
  network.config.rpcUrl = node.url
  await network.restart()
  await network.worker(async () => {
    runs++
    await answer?.()
    return { body: `run ${runs}` }
  })
  await network.deploy('shop', [{ name: 'paid', price: 1000n, routes: [{ path: '/paid' }] }])
  url = network.url('shop', '/paid')
})
after(async () => {
  await network?.stop()
  node?.close()
})
afterEach(async () => {
  node.intercept = undefined
  answer = undefined
  await mine(true)
})

const pay = (header: string) => fetch(url, { headers: { 'payment-signature': header } })
const sign = async () => (await signPayment(await offerOf(url), network.payer.privateKey)).header
const mine = async (on: boolean) => {
  await network.chain.provider.send('evm_setAutomine', [on])
  if (on) await network.chain.provider.send('evm_mine', [])
}

/** Has somebody else submit a payment's authorization. */
async function strangerWith(header: string): Promise<() => Promise<unknown>> {
  const { authorization } = readPayment(header)
  const { privateKey } = await network.chain.account()
  const stranger = createSender({ provider: network.chain.provider, privateKey })
  return async () => (await stranger.send({ to: network.chain.usdc, data: transferCall(authorization, true) })).wait()
}

/** Runs a call whose first answer says that the payment is pending; the answer comes later, once, for the price of one. */
async function isPaidOnce(header: string, mend: () => unknown): Promise<void> {
  const balance = await network.usdcOf(network.payer.address)
  const ran = runs
  const first = await pay(header)
  assert.equal(first.status, 503)
  assert.equal((await first.json()).code, 'PH_PAY_PENDING')
  await mend()
  const response = await untilAnswered(() => pay(header))
  assert.equal(await response.text(), `run ${ran + 1}`)
  assert.ok(response.headers.get('peerhost-receipt'))
  assert.equal(runs, ran + 1)
  assert.equal(await network.usdcOf(network.payer.address), balance - 1000n)
}

test('a node that takes the transaction and says nothing', async () => {
  const header = await sign()
  await mine(false)
  let cut = 0
  node.intercept = (method) => (method === 'eth_sendRawTransaction' && cut++ === 0 ? 'cut' : undefined)
  await isPaidOnce(header, () => mine(true))
  assert.ok(cut >= 1)
})

test('a node that does not show yet by what transaction a stranger was faster', async () => {
  const header = await sign()
  const submit = await strangerWith(header)
  answer = async () => {
    await submit()
  }
  node.intercept = (method) => (method === 'eth_getLogs' ? { result: [] } : undefined)
  const mend = () => {
    node.intercept = undefined
  }
  const balance = await network.usdcOf(network.payer.address)
  await isPaidOnce(header, mend)
  assert.equal(await network.usdcOf(network.payer.address), balance - 1000n)
})

test('a node that is gone when a transaction failed', async () => {
  const header = await sign()
  const submit = await strangerWith(header)
  answer = async () => {
    await submit()
    // From its failed transaction on the gateway learns nothing.
    node.intercept = (method, params) =>
      method === 'eth_call' && JSON.stringify(params).includes('0xe94a0102') ? 'cut' : undefined
  }
  await isPaidOnce(header, () => {
    node.intercept = undefined
  })
})

test('who sends payments that are not valid asks the node only so often', async () => {
  network.config.limits = { badPaymentsPerMinute: 3 }
  await network.restart()
  const offer = await offerOf(url)
  let asked = 0
  node.intercept = (method) => {
    if (method === 'eth_getCode') asked++
    return undefined
  }
  const statuses: number[] = []
  for (let i = 0; i < 6; i++) {
    const from = Wallet.createRandom().address
    statuses.push((await pay((await signPayment(offer, network.payer.privateKey, { from })).header)).status)
  }
  assert.deepEqual(statuses, [402, 402, 402, 429, 429, 429])
  assert.equal(asked, 3)
})
