import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Hex, NETWORKS } from '@peerhost/protocol'
import type { PaymentRequirements } from '@x402/core/types'
import { chooseOffer, type SpendPolicy } from './choose-offer.ts'

const { address: asset, name, version } = NETWORKS.local.usdc
const PAYER: Hex = '0x00000000000000000000000000000000000000AA'
const good: PaymentRequirements = {
  scheme: 'exact',
  network: 'eip155:84532',
  asset,
  amount: '1000',
  payTo: '0x00000000000000000000000000000000000000bb',
  maxTimeoutSeconds: 60,
  extra: { name, version },
}
const policy: SpendPolicy = { networks: [NETWORKS.local], maxPrice: 1000n }
const context = { url: 'http://gateway/', payer: PAYER }

test('the cheapest offer that may be signed is chosen', async () => {
  const cheaper = { ...good, amount: '900' }
  const elsewhere = { ...good, amount: '1', network: 'eip155:137' as const }
  assert.equal(await chooseOffer([good, elsewhere, cheaper], policy, context), cheaper)
})

const refused: Record<string, Partial<PaymentRequirements>> = {
  'another scheme': { scheme: 'upto' },
  'another network': { network: 'eip155:137' },
  'another token': { asset: '0x00000000000000000000000000000000000000cc' },
  'a token of another EIP-712 name': { extra: { name: 'Dollar', version } },
  'no EIP-712 names': { extra: {} },
  'Permit2, which would sign for more than one transfer': { extra: { name, version, assetTransferMethod: 'permit2' } },
  'payment before the answer': { extra: { name, version, paymentFlow: 'upfront' } },
  'a fractional amount': { amount: '0.5' },
  'a negative amount': { amount: '-5' },
  'an amount in hexadecimal': { amount: '0x10' },
  'a payment that stays valid for a year': { maxTimeoutSeconds: 31_536_000 },
  'a payment without a time': { maxTimeoutSeconds: Number.NaN },
  'the zero address': { payTo: '0x0000000000000000000000000000000000000000' },
  'no address': { payTo: 'gateway.eth' },
  'the payer himself': { payTo: PAYER.toLowerCase() },
}
for (const [what, change] of Object.entries(refused)) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(chooseOffer([{ ...good, ...change }], policy, context), { code: 'PH_PAY_OFFER_UNACCEPTABLE' })
  })
}

test('only the price in the way is said so, with the lowest one', async () => {
  const offers = [
    { ...good, amount: '5000' },
    { ...good, amount: '2000' },
    { ...good, scheme: 'upto', amount: '1' },
  ]
  await assert.rejects(chooseOffer(offers, policy, context), {
    code: 'PH_PAY_TOO_EXPENSIVE',
    message: /0\.002 .*0\.001/,
  })
})
