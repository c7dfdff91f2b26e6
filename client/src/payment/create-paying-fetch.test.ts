import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import { type Hex, NETWORKS, paymentRefOfAuthorization, testUsdcAbi } from '@peerhost/protocol'
import { decodePaymentSignatureHeader, encodePaymentRequiredHeader } from '@x402/core/http'
import { Contract, Wallet } from 'ethers'
import { privateKeyToAccount } from 'viem/accounts'
import { startPaidServer } from '../support/paid-server.ts'
import { createPayingFetch, type Payment } from './create-paying-fetch.ts'

let chain: TestChain
before(async () => {
  chain = await startTestChain()
})
after(() => chain.stop())

const networks = [NETWORKS.local]
const balanceOf = async (address: Hex): Promise<bigint> =>
  new Contract(chain.usdc, testUsdcAbi, chain.provider).balanceOf!(address)
const newPayee = () => Wallet.createRandom().address.toLowerCase() as Hex

test('a call is paid once, with each kind of signer, and its body arrives', async (t) => {
  const payer = await chain.account(1_000_000n)
  const payee = newPayee()
  const server = await startPaidServer(t, chain, payee)
  const payments: Payment[] = []
  const signers = [payer.privateKey, new Wallet(payer.privateKey), privateKeyToAccount(payer.privateKey)]
  for (const signer of signers) {
    const pay = createPayingFetch({ signer, maxPrice: 1000n, networks, onPayment: (payment) => payments.push(payment) })
    const body = new Blob(['some ', 'body']).stream()
    const answer = await pay(`${server.url}/paid`, { method: 'POST', body, duplex: 'half' } as RequestInit)
    assert.equal(answer.status, 200)
    assert.equal(await answer.text(), 'some body')
  }
  assert.equal(server.runs, 3)
  assert.equal(await balanceOf(payee), 3000n)
  const [first] = payments
  assert.equal(first!.settlement?.success, true)
  assert.match(first!.settlement!.transaction!, /^0x[0-9a-f]{64}$/)
  assert.equal(first!.amount, 1000n)
  assert.equal(first!.payer, payer.address)
  assert.equal(first!.payTo, payee)
  assert.equal(first!.paymentRef, paymentRefOfAuthorization(NETWORKS.local.usdc.address, payer.address, first!.nonce))
  assert.equal(new Set(payments.map(({ nonce }) => nonce)).size, 3)
})

test('free calls need no key, and priced ones say so', async (t) => {
  const server = await startPaidServer(t, chain, newPayee())
  const pay = createPayingFetch({ maxPrice: 1000n, networks })
  assert.equal((await pay(`${server.url}/free`)).status, 200)
  await assert.rejects(pay(`${server.url}/paid`), { code: 'PH_PAY_NO_SIGNER' })
  assert.equal(server.requests[0]!.headers['accept-encoding'], 'identity')
  assert.equal(server.requests[0]!.headers['peerhost-payer'], undefined)
  const { privateKey, address } = await chain.account()
  await createPayingFetch({ signer: privateKey, namePayer: true, maxPrice: 0n, networks })(`${server.url}/free`)
  assert.equal(String(server.requests.at(-1)!.headers['peerhost-payer']).toLowerCase(), address)
})

test('nothing above the limit, on another network or to another payee is signed', async (t) => {
  const { privateKey: signer } = await chain.account(1_000_000n)
  const payee = newPayee()
  const server = await startPaidServer(t, chain, payee)
  const url = `${server.url}/paid`
  await assert.rejects(createPayingFetch({ signer, maxPrice: 999n, networks })(url), { code: 'PH_PAY_TOO_EXPENSIVE' })
  const unacceptable = { code: 'PH_PAY_OFFER_UNACCEPTABLE' }
  await assert.rejects(createPayingFetch({ signer, maxPrice: 1000n, networks: [NETWORKS.polygon] })(url), unacceptable)
  await assert.rejects(
    createPayingFetch({ signer, maxPrice: 1000n, networks, acceptPayee: () => false })(url),
    unacceptable,
  )
  assert.equal(server.payments.length, 0)
  const acceptPayee = (payTo: Hex) => payTo === payee
  assert.equal((await createPayingFetch({ signer, maxPrice: 1000n, networks, acceptPayee })(url)).status, 200)
})

test('a failed function is not charged and its answer is handed out', async (t) => {
  const { privateKey: signer, address } = await chain.account(5000n)
  const server = await startPaidServer(t, chain, newPayee())
  const payments: Payment[] = []
  const pay = createPayingFetch({ signer, maxPrice: 1000n, networks, onPayment: (payment) => payments.push(payment) })
  const answer = await pay(`${server.url}/paid`, { headers: { 'x-fail': '1' } })
  assert.equal(answer.status, 500)
  assert.equal(await answer.text(), 'failed')
  assert.equal(payments[0]!.settlement, undefined)
  assert.equal(await balanceOf(address), 5000n)
})

test('a payer without money gets the gateway’s 402, not an endless loop', async (t) => {
  const { privateKey: signer } = await chain.account()
  const server = await startPaidServer(t, chain, newPayee())
  const answer = await createPayingFetch({ signer, maxPrice: 1000n, networks })(`${server.url}/paid`)
  assert.equal(answer.status, 402)
  assert.equal(server.payments.length, 1)
  assert.equal(server.runs, 0)
})

test('a new price is paid within the limit, once', async (t) => {
  const { privateKey: signer, address } = await chain.account(10_000n)
  const server = await startPaidServer(t, chain, newPayee())
  const url = `${server.url}/paid`
  const raisedAfter402 = (price: string) => {
    server.intercept = (req) => {
      if (req.headers['payment-signature']) server.price = price
      return false
    }
  }
  raisedAfter402('1500')
  assert.equal((await createPayingFetch({ signer, maxPrice: 2500n, networks })(url)).status, 200)
  assert.equal(await balanceOf(address), 8500n)
  assert.equal(server.payments.length, 2)

  // The first may be collected all the same: both together have to be within the limit.
  server.price = '1500'
  raisedAfter402('501')
  await assert.rejects(createPayingFetch({ signer, maxPrice: 2000n, networks })(url), { code: 'PH_PAY_TOO_EXPENSIVE' })
  let price = 100
  server.intercept = () => {
    server.price = String(price++)
    return false
  }
  assert.equal((await createPayingFetch({ signer, maxPrice: 2000n, networks })(url)).status, 402)
  assert.equal(server.payments.length, 5)
  assert.equal(await balanceOf(address), 8500n)
})

test('a lost answer is asked for again with the same payment, and never paid twice', async (t) => {
  const { privateKey: signer, address } = await chain.account(10_000n)
  const server = await startPaidServer(t, chain, newPayee())
  const options = { signer, maxPrice: 1000n, networks, retryDelayMs: 1 }
  // The connection breaks before the gateway saw anything: the second copy is served.
  let broken = 2
  server.intercept = (req) => {
    if (!req.headers['payment-signature'] || broken-- <= 0) return false
    req.socket.destroy()
    return true
  }
  assert.equal((await createPayingFetch(options)(`${server.url}/paid`)).status, 200)
  assert.equal(server.payments.length, 3)
  assert.equal(new Set(server.payments).size, 1)
  assert.equal(await balanceOf(address), 9000n)

  // It breaks after settlement: the copy is refused as used, and no other payment is signed.
  server.intercept = undefined
  server.payments.length = 0
  server.dropAnswer = () => true
  await assert.rejects(createPayingFetch(options)(`${server.url}/paid`), { code: 'PH_PAY_ANSWER_LOST' })
  assert.equal(new Set(server.payments).size, 1)
  assert.equal(await balanceOf(address), 8000n)

  // The price changes after a lost answer: still none.
  server.payments.length = 0
  server.dropAnswer = () => {
    server.price = '900'
    return true
  }
  await assert.rejects(createPayingFetch(options)(`${server.url}/paid`), { code: 'PH_PAY_ANSWER_LOST' })
  assert.equal(new Set(server.payments).size, 1)
  assert.equal(await balanceOf(address), 7000n)
})

test('an answer that breaks off is asked for again with the same payment', async (t) => {
  const { privateKey: signer } = await chain.account(10_000n)
  const server = await startPaidServer(t, chain, newPayee())
  let copies = 0
  server.intercept = (req, res) => {
    if (!req.headers['payment-signature']) return false
    res.writeHead(200, { 'content-length': '12', 'peerhost-receipt': 'r' })
    if (++copies < 3) res.write('half', () => req.socket.destroy())
    else res.end('whole answer')
    return true
  }
  const options = { signer, maxPrice: 1000n, networks, retryDelayMs: 1 }
  const answer = await createPayingFetch(options)(`${server.url}/paid`)
  assert.equal(answer.url, `${server.url}/paid`)
  assert.equal(answer.headers.get('peerhost-receipt'), 'r')
  assert.equal(await answer.text(), 'whole answer')
  assert.equal(new Set(server.payments).size, 1)
  assert.equal(server.requests.filter((req) => req.headers['peerhost-retry']).length, 2)
})

test('a payment that is under way is waited for', async (t) => {
  const { privateKey: signer } = await chain.account(10_000n)
  const server = await startPaidServer(t, chain, newPayee())
  let copies = 0
  server.intercept = (req, res) => {
    if (!req.headers['payment-signature']) return false
    copies++
    if (copies === 1) {
      req.socket.destroy()
      return true
    }
    if (copies > 3) return false
    res
      .writeHead(402, { 'content-type': 'application/json', 'content-length': '27' })
      .end('{"code":"PH_PAY_IN_FLIGHT"}')
    return true
  }
  const answer = await createPayingFetch({ signer, maxPrice: 1000n, networks, retryDelayMs: 1 })(`${server.url}/paid`)
  assert.equal(answer.status, 200)
  assert.equal(new Set(server.payments).size, 1)
  assert.equal(copies, 4)
})

test('the caller’s signal ends a paid call too', async (t) => {
  const { privateKey: signer } = await chain.account(10_000n)
  const server = await startPaidServer(t, chain, newPayee())
  const controller = new AbortController()
  server.intercept = (req) => {
    if (!req.headers['payment-signature']) return false
    controller.abort()
    return true
  }
  const pay = createPayingFetch({ signer, maxPrice: 1000n, networks })
  await assert.rejects(pay(`${server.url}/paid`, { signal: controller.signal }), { name: 'AbortError' })
  assert.equal(server.payments.length, 1)
})

test('a function’s own 402 is an answer, a malformed offer is an error', async (t) => {
  const { privateKey: signer } = await chain.account()
  const server = await startPaidServer(t, chain, newPayee())
  const pay = createPayingFetch({ signer, maxPrice: 1000n, networks })
  server.intercept = (_, res) => {
    res.writeHead(402).end('subscribe first')
    return true
  }
  assert.equal(await (await pay(`${server.url}/paid`)).text(), 'subscribe first')
  for (const header of [
    '%%%',
    btoa('{"x402Version":1}'),
    btoa('not json'),
    encodePaymentRequiredHeader({ x402Version: 2, accepts: [] } as never),
  ]) {
    server.intercept = (_, res) => {
      res.writeHead(402, { 'payment-required': header }).end()
      return true
    }
    await assert.rejects(pay(`${server.url}/paid`), { code: 'PH_PAY_OFFER_UNACCEPTABLE' })
  }
  await assert.rejects(createPayingFetch({ signer: '0x1234', maxPrice: 1n, networks, namePayer: true })(server.url), {
    code: 'PH_CONFIG_KEY_INVALID',
  })
})

test('the payment names the offer that was made', async (t) => {
  const { privateKey: signer, address } = await chain.account(1000n)
  const payee = newPayee()
  const server = await startPaidServer(t, chain, payee)
  await createPayingFetch({ signer, maxPrice: 1000n, networks })(`${server.url}/paid`)
  const { accepted, payload } = decodePaymentSignatureHeader(server.payments[0]!)
  assert.equal(accepted.payTo, payee)
  const { authorization } = payload as { authorization: Record<string, string> }
  assert.equal(authorization.from!.toLowerCase(), address)
  assert.equal(authorization.value, '1000')
})
