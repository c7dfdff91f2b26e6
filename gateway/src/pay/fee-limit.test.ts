import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'
import { offerOf, signPayment } from '../testing/x402.ts'

let network: TestNetwork
before(async () => {
  network = await startTestNetwork({ config: { maxFeeGwei: 3 } })
  await network.worker(() => ({ body: 'ok' }))
  await network.deploy('shop', [{ name: 'paid', price: 1000n, routes: [{ path: '/paid' }] }])
})
after(() => network?.stop())

test('the gateway pays no more for gas than it was told, whatever the chain asks', async () => {
  const url = network.url('shop', '/paid')
  const { provider } = network.chain
  const { header } = await signPayment(await offerOf(url), network.payer.privateKey)
  await provider.send('anvil_setNextBlockBaseFeePerGas', ['0x77359400']) // 2 gwei: the market asks for twice that
  await provider.send('evm_mine', [])
  const response = await fetch(url, { headers: { 'payment-signature': header } })
  assert.equal(response.status, 200)
  const settlement = JSON.parse(Buffer.from(response.headers.get('payment-response')!, 'base64').toString())
  const transaction = await provider.getTransaction(settlement.transaction)
  assert.equal(transaction!.maxFeePerGas, 3_000_000_000n)
})
