import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeReceiptHeader } from '@peerhost/protocol'
import { PaymentRequiredV2Schema } from '@x402/core/schemas'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { privateKeyToAccount } from 'viem/accounts'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'

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

test('an HTTP status of 400 and above is not charged', async () => {
  const before = await network.usdcOf(network.payer.address)
  const response = await payingFetch()(network.url('shop', '/fails'))
  assert.equal(response.status, 404)
  assert.equal(response.headers.get('payment-response'), null)
  assert.equal(await network.usdcOf(network.payer.address), before)
})
