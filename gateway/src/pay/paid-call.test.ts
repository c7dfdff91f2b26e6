import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeReceiptHeader, testUsdcAbi } from '@peerhost/protocol'
import { wrapAxiosWithPaymentFromConfig } from '@x402/axios'
import { PaymentRequiredV2Schema } from '@x402/core/schemas'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import axios from 'axios'
import { Contract } from 'ethers'
import { privateKeyToAccount } from 'viem/accounts'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'
import { encodePayment, offerOf, signPayment } from '../testing/x402.ts'

/** Code that answers isValidSignature with 0x1626ba7e, whatever it is asked. */
const RETURNS_MAGIC_VALUE = '0x631626ba7e60e01b60005260206000f3'

let network: TestNetwork
let runs = 0
before(async () => {
  network = await startTestNetwork()
  await network.worker(({ request }) => {
    runs++
    return request!.path === '/fails' ? { httpStatus: 404, body: 'no' } : { body: 'paid answer' }
  })
  await network.deploy('shop', [
    {
      name: 'quote',
      price: 1000n,
      routes: [{ path: '/quote' }, { method: 'POST', path: '/quote' }, { path: '/fails' }],
    },
  ])
})
after(() => network?.stop())

const payingFetch = () =>
  wrapFetchWithPaymentFromConfig(fetch, {
    schemes: [{ network: 'eip155:84532', client: new ExactEvmScheme(privateKeyToAccount(network.payer.privateKey)) }],
  })

test('an unpaid call is 402 with an offer that the x402 schemas accept', async () => {
  const before = runs
  const response = await fetch(network.url('shop', '/quote'))
  assert.equal(response.status, 402)
  assert.equal(((await response.json()) as { code: string }).code, 'PH_PAY_REQUIRED')
  const required = JSON.parse(Buffer.from(response.headers.get('payment-required')!, 'base64').toString())
  const { accepts } = PaymentRequiredV2Schema.parse(required)
  assert.equal(accepts[0]!.amount, '1000')
  assert.equal(runs, before)
})

test('an unmodified @x402/fetch pays, and gets answer, settlement and receipt', async () => {
  const before = await network.usdcOf(network.payer.address)
  const response = await payingFetch()(network.url('shop', '/quote'), { method: 'POST', body: 'x' })
  assert.equal(await response.text(), 'paid answer')
  assert.equal(response.status, 200)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
  const settlement = JSON.parse(Buffer.from(response.headers.get('payment-response')!, 'base64').toString())
  assert.equal(settlement.success, true)
  assert.equal(settlement.payer, network.payer.address)
  const { receipt, request, acceptance } = decodeReceiptHeader(response.headers.get('peerhost-receipt')!)
  assert.equal(receipt.price, 1000n)
  assert.equal(request.payer, network.payer.address)
  assert.notEqual(BigInt(acceptance.paymentRef), 0n)
})

test('an unmodified @x402/axios, of another version, pays as well', async () => {
  const client = wrapAxiosWithPaymentFromConfig(axios.create(), {
    schemes: [{ network: 'eip155:84532', client: new ExactEvmScheme(privateKeyToAccount(network.payer.privateKey)) }],
  } as Parameters<typeof wrapAxiosWithPaymentFromConfig>[1])
  const before = await network.usdcOf(network.payer.address)
  const response = await client.get(network.url('shop', '/quote'))
  assert.equal(response.data, 'paid answer')
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

test('a contract that is a wallet pays by its own judgement of a signature (EIP-1271)', async () => {
  const { provider } = network.chain
  const wallet = `0x${'c0'.repeat(20)}`
  const anybody = await network.chain.account()
  await (await new Contract(network.chain.usdc, testUsdcAbi, anybody.signer).mint!(wallet, 5_000n)).wait()
  const url = network.url('shop', '/quote')
  const offer = await offerOf(url)
  const { authorization } = await signPayment(offer, anybody.privateKey, { from: wallet })
  const pay = () =>
    fetch(url, { headers: { 'payment-signature': encodePayment(offer, authorization, `0x${'12'.repeat(90)}`) } })
  assert.equal((await pay()).status, 402)
  await provider.send('anvil_setCode', [wallet, RETURNS_MAGIC_VALUE])
  const response = await pay()
  assert.equal(response.status, 200)
  assert.equal(await network.usdcOf(wallet), 4_000n)
})

test('an HTTP status of 400 and above is not charged', async () => {
  const before = await network.usdcOf(network.payer.address)
  const response = await payingFetch()(network.url('shop', '/fails'))
  assert.equal(response.status, 404)
  assert.equal(response.headers.get('payment-response'), null)
  assert.equal(await network.usdcOf(network.payer.address), before)
})

test('a payment while the chain is gone is 503 and runs nothing', async () => {
  const url = network.url('shop', '/quote')
  const { header } = await signPayment(await offerOf(url), network.payer.privateKey)
  const before = runs
  await network.chain.chain.stop()
  const response = await fetch(url, { headers: { 'payment-signature': header } })
  assert.equal(response.status, 503)
  assert.equal(((await response.json()) as { code: string }).code, 'PH_CHAIN_UNREACHABLE')
  assert.equal(runs, before)
})
