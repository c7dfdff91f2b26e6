import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, test } from 'node:test'
import { createSender } from '@peerhost/chain'
import { type Hex, testUsdcAbi } from '@peerhost/protocol'
import { Interface, Signature, Wallet } from 'ethers'
import { startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'
import { encodePayment, offerOf, signPayment, type TestOffer } from '../testing/x402.ts'

let network: TestNetwork
let offer: TestOffer
let url: string
let runs = 0
let answer: (() => Promise<void>) | undefined
before(async () => {
  network = await startTestNetwork()
  await network.worker(
    async ({ request }) => {
      runs++
      await answer?.()
      if (request!.path === '/fails') return { httpStatus: 500, body: 'no' }
      if (request!.path === '/headers') return { headers: [['x-large', 'x'.repeat(Number(request!.query))]], body: 'h' }
      if (request!.path === '/throws') return { status: 1, httpStatus: 500, body: '{}' }
      return { body: `run ${runs}` }
    },
    { capacity: 100 },
  )
  await network.deploy('shop', [
    {
      name: 'quote',
      price: 1000n,
      routes: [{ path: '/quote' }, { path: '/fails' }, { path: '/throws' }, { path: '/headers' }],
    },
    { name: 'dear', price: 5000n, routes: [{ path: '/dear' }] },
  ])
  url = network.url('shop', '/quote')
  offer = await offerOf(url)
})
after(() => network?.stop())
beforeEach(() => {
  runs = 0
  answer = undefined
})

const pay = (header: string, target = url, headers = {}) =>
  fetch(target, { headers: { 'payment-signature': header, ...headers } })
const refusal = async (response: Response) => {
  assert.equal(response.status, 402)
  assert.ok(response.headers.get('payment-required'))
  return (await response.json()) as { code: string; message: string }
}
const sign = (changes = {}) => signPayment(offer, network.payer.privateKey, changes)
const now = () => Math.floor(Date.now() / 1000)

test('five copies of one payment that arrive together run the function once and charge once', async () => {
  const before = await network.usdcOf(network.payer.address)
  const { header } = await sign()
  const responses = await Promise.all(Array.from({ length: 5 }, () => pay(header)))
  assert.deepEqual(responses.map(({ status }) => status).sort(), [200, 402, 402, 402, 402])
  const codes = await Promise.all(responses.filter(({ status }) => status === 402).map(refusal))
  for (const { code } of codes) assert.ok(code === 'PH_PAY_IN_FLIGHT' || code === 'PH_PAY_REPLAYED', code)
  assert.equal(runs, 1)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('a delivered payment does not pay again; its own request may ask for the answer again', async () => {
  const { header } = await sign()
  const first = await pay(header)
  assert.equal(first.status, 200)
  const text = await first.text()
  assert.equal((await refusal(await pay(header))).code, 'PH_PAY_REPLAYED')
  assert.equal((await refusal(await pay(header, `${url}?other`, { 'peerhost-retry': '1' }))).code, 'PH_PAY_REPLAYED')
  const again = await pay(header, url, { 'peerhost-retry': '1' })
  assert.equal(again.status, 200)
  assert.equal(await again.text(), text)
  assert.equal(again.headers.get('payment-response'), first.headers.get('payment-response'))
  assert.equal(runs, 1)
})

test('bogus, expired, underpaid, misdirected and unfunded payments are 402 with a reason and run nothing', async () => {
  const stranger = Wallet.createRandom()
  const good = await sign()
  const cases: [string, string | Promise<{ header: string }>, RegExp][] = [
    ['not base64', 'not a payment!', /base64/],
    ['not JSON', Buffer.from('{').toString('base64'), /JSON/],
    ['version 1', Buffer.from('{"x402Version":1}').toString('base64'), /version 2/],
    ['expired', sign({ validBefore: String(now() - 1) }), /expired/],
    ['expires too soon', sign({ validBefore: String(now() + 3) }), /expired/],
    ['not valid yet', sign({ validAfter: String(now() + 100) }), /not valid yet/],
    ['underpaid', sign({ value: '999' }), /amount/],
    ['overpaid', sign({ value: '1001' }), /amount/],
    ['another payee', sign({ to: stranger.address }), /account/],
    ['another offer', signPayment({ ...offer, amount: '1' }, network.payer.privateKey), /offer/],
    ['forged', sign({ from: stranger.address }), /sign/],
    ['without funds', signPayment(offer, stranger.privateKey), /enough USDC/],
    ['garbled', encodePayment(offer, { ...good.authorization, nonce: '0x12' }, good.signature), /nonce/],
  ]
  for (const [what, given, reason] of cases) {
    const header = typeof given === 'string' ? given : (await given).header
    const { code, message } = await refusal(await pay(header))
    assert.equal(code, 'PH_PAY_INVALID', what)
    assert.match(message, reason, what)
  }
  assert.equal(runs, 0)
})

test('a payment for a cheap route does not pay for a dear one', async () => {
  const { header } = await sign()
  assert.equal((await refusal(await pay(header, network.url('shop', '/dear')))).code, 'PH_PAY_INVALID')
  assert.equal((await pay(header)).status, 200)
})

test('an answer that was paid for is delivered also where the price has changed since', async () => {
  await network.deploy('later', [{ name: 'f', price: 1000n, routes: [{ path: '/f' }] }])
  const target = network.url('later', '/f')
  const { header } = await signPayment(await offerOf(target), network.payer.privateKey)
  assert.equal((await pay(header, target)).status, 200)
  await network.deploy('later', [{ name: 'f', price: 7000n, routes: [{ path: '/f' }] }])
  assert.equal((await pay(header, target)).status, 402)
  const again = await pay(header, target, { 'peerhost-retry': '1' })
  assert.equal(again.status, 200)
  assert.equal(await again.text(), 'run 1')
})

test('who knows a payment from the chain but has not its signature does not get its answer', async () => {
  const payment = await sign()
  assert.equal((await pay(payment.header)).status, 200)
  // A wallet that is a contract judges signatures itself: nothing but the payment that came first tells a wrong one.
  await network.chain.provider.send('anvil_setCode', [network.payer.address, '0x00'])
  const header = encodePayment(offer, payment.authorization, `0x${'12'.repeat(90)}`)
  const { code } = await refusal(await pay(header, url, { 'peerhost-retry': '1' }))
  await network.chain.provider.send('anvil_setCode', [network.payer.address, '0x'])
  assert.equal(code, 'PH_PAY_REPLAYED')
})

test('a failed function is not charged, and its payment is free again', async () => {
  const before = await network.usdcOf(network.payer.address)
  const { header } = await sign()
  assert.equal((await pay(header, network.url('shop', '/fails'))).status, 500)
  assert.equal((await pay(header, network.url('shop', '/throws'))).status, 500)
  assert.equal(await network.usdcOf(network.payer.address), before)
  assert.equal((await pay(header)).status, 200)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('an answer whose headers no client could read is not charged; one that is can be read', async () => {
  const before = await network.usdcOf(network.payer.address)
  const { header } = await sign()
  const refused = await pay(header, network.url('shop', '/headers?5000'))
  assert.equal(refused.status, 502)
  assert.equal((await refused.json()).code, 'PH_RUN_BAD_RESPONSE')
  assert.equal(await network.usdcOf(network.payer.address), before)
  const answer = await pay(header, network.url('shop', '/headers?4000'), { 'x-own': 'y'.repeat(8000) })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('x-large')!.length, 4000)
  assert.ok(answer.headers.get('peerhost-receipt'))
})

/** Sends a payer's authorization oneself, as anybody can who sees it. */
async function submitAsStranger(payment: Awaited<ReturnType<typeof sign>>): Promise<void> {
  const { privateKey } = await network.chain.account()
  const { from, to, value, validAfter, validBefore, nonce } = payment.authorization
  const { v, r, s } = Signature.from(payment.signature)
  const data = new Interface(testUsdcAbi).encodeFunctionData(
    'transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)',
    [from, to, value, validAfter, validBefore, nonce, v, r, s],
  )
  const sender = createSender({ provider: network.chain.provider, privateKey })
  await (await sender.send({ to: network.chain.usdc, data: data as Hex })).wait()
}

test('an authorization that a stranger submitted first is seen as paid, once', async () => {
  const payment = await sign()
  const before = await network.usdcOf(network.payer.address)
  await submitAsStranger(payment)
  assert.equal((await pay(payment.header)).status, 200)
  assert.equal((await refusal(await pay(payment.header))).code, 'PH_PAY_REPLAYED')
  assert.equal(runs, 1)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('an authorization that a stranger submits while the function runs is seen as paid', async () => {
  const payment = await sign()
  answer = () => submitAsStranger(payment)
  assert.equal((await pay(payment.header)).status, 200)
  assert.equal(runs, 1)
})

test('a payer who spends the nonce elsewhere while the function runs gets no answer', async () => {
  const nonce = `0x${'5a'.repeat(32)}`
  const payment = await sign({ nonce })
  answer = async () => submitAsStranger(await sign({ nonce, to: Wallet.createRandom().address }))
  const { code } = await refusal(await pay(payment.header))
  assert.equal(code, 'PH_PAY_SETTLEMENT_FAILED')
})

/** Has the gateway's database refuse changes of a payment's state to this one, until the result is called. */
function refuseState(state: string): () => void {
  const { dataDir } = network.config
  const file = readdirSync(dataDir).find((name) => name.endsWith('.sqlite'))!
  const run = (sql: string) => {
    const database = new DatabaseSync(join(dataDir, file))
    database.exec(`PRAGMA busy_timeout=5000; ${sql}`)
    database.close()
  }
  run(`CREATE TRIGGER refused BEFORE UPDATE ON payments WHEN new.state = '${state}'
       BEGIN SELECT raise(ABORT, 'the disk is full'); END`)
  return () => run('DROP TRIGGER refused')
}

test('a payment whose answer could not be kept is not charged, and free again without a restart', async () => {
  const before = await network.usdcOf(network.payer.address)
  const { header } = await sign()
  const mend = refuseState('settling')
  const failed = await pay(header)
  mend()
  assert.equal(failed.status, 503)
  assert.equal((await failed.json()).code, 'PH_GATEWAY_STORE_FAILED')
  assert.equal(await network.usdcOf(network.payer.address), before)
  await until(async () => (await pay(header)).status === 200, 'the answer')
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('a payment that was charged and could not be recorded has its answer without a restart', async () => {
  const before = await network.usdcOf(network.payer.address)
  const { header } = await sign()
  const mend = refuseState('settled')
  assert.equal((await pay(header)).status, 503)
  mend()
  let answer: Response | undefined
  await until(async () => {
    answer = await pay(header)
    return answer.status === 200
  }, 'the answer')
  assert.equal(await answer!.text(), 'run 1')
  assert.ok(answer!.headers.get('peerhost-receipt'))
  assert.equal(runs, 1)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('an authorization without end pays as well', async () => {
  const { header } = await sign({ validBefore: String(2n ** 256n - 1n) })
  assert.equal((await pay(header)).status, 200)
})

test('sixty payments that arrive together are all settled', async () => {
  const account = await network.usdcOf(offer.payTo)
  const payments = await Promise.all(Array.from({ length: 60 }, () => sign()))
  const responses = await Promise.all(payments.map(({ header }) => pay(header)))
  assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]))
  assert.equal(await network.usdcOf(offer.payTo), account + 60_000n)
})
