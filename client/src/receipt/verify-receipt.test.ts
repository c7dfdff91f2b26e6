import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  createPureSigner,
  encodeReceiptHeader,
  type Hex,
  hashMessage,
  NETWORKS,
  receiptToJson,
  ZERO_HASH,
} from '@peerhost/protocol'
import { Wallet } from 'ethers'
import { type Answer, ReceiptWorld, type Tampering } from '../support/receipt-world.ts'
import { createChainReader } from './chain-reader.ts'
import { parseReceipt } from './parse-receipt.ts'
import type { CheckName } from './verdict.ts'
import { type VerifyReceiptOptions, verifyReceipt } from './verify-receipt.ts'

let world: ReceiptWorld
before(async () => {
  world = await ReceiptWorld.start()
})
after(() => world.stop())

const verify = (answer: Answer, options: Partial<VerifyReceiptOptions> = {}) =>
  verifyReceipt({ ...answer, chain: world.reader, ipfsUrl: world.ipfsUrl, ...options })

/** Names of the checks with this outcome. */
const outcomes = async (
  answer: Answer,
  ok: boolean | 'pending',
  options?: Partial<VerifyReceiptOptions>,
): Promise<CheckName[]> =>
  (await verify(answer, options)).checks.filter((check) => check.ok === ok).map(({ name }) => name)

test('an honest receipt holds: first not yet anchored, then in a batch', async () => {
  const answer = await world.answer()
  const first = await verify(answer)
  assert.equal(first.ok, true)
  assert.deepEqual(
    first.checks.filter(({ ok }) => ok !== true).map(({ name, ok }) => [name, ok]),
    [['anchored', 'pending']],
  )
  await world.anchor([(await world.answer()).receipt])
  await world.anchor([(await world.answer()).receipt, answer.receipt, (await world.answer()).receipt])
  const second = await verify(answer)
  assert.deepEqual(
    second.checks.filter(({ ok }) => ok !== true),
    [],
  )
  assert.equal(second.batch!.header.count, 3)
  assert.match(second.batch!.transaction, /^0x[0-9a-f]{64}$/)
  assert.equal(second.function!.project, 'shop')
  assert.equal(second.function!.spec.price, 1000n)
})

const tampered: [what: string, change: Tampering, failing: CheckName[]][] = [
  ['a receipt for another request', { receipt: { requestHash: ZERO_HASH } }, ['hashes']],
  ['a receipt for another assignment', { receipt: { assignmentHash: ZERO_HASH } }, ['hashes']],
  ['an acceptance of another receipt', { acceptance: { receiptHash: ZERO_HASH } }, ['hashes']],
  ['a receipt of another epoch', { receipt: { epoch: 1n } }, ['worker signature', 'gateway signatures', 'epoch']],
  ['other code', { receipt: { codeDigest: `0x${'bb'.repeat(32)}` } }, ['function']],
  ['another runtime', { receipt: { runtimeId: ZERO_HASH } }, ['function']],
  ['a version that was never registered', { request: { version: 7 }, receipt: { version: 7 } }, ['function']],
  ['a price above the agreed one', { request: { maxPrice: 999n } }, ['price']],
  ['a price other than the registered one', { receipt: { price: 900n } }, ['price', 'payment']],
  [
    'a charge for a function that threw',
    {
      result: {
        kind: 'http',
        status: 1,
        response: { httpStatus: 500, headers: [], body: Buffer.from('{"price":"3.50"}') },
      },
    },
    ['price'],
  ],
  [
    'a charge for a 404',
    {
      result: {
        kind: 'http',
        status: 0,
        response: { httpStatus: 404, headers: [], body: Buffer.from('{"price":"3.50"}') },
      },
    },
    ['price'],
  ],
  ['another status than the output has', { receipt: { status: 2 } }, ['result', 'price']],
  ['another result', { receipt: { resultCommit: ZERO_HASH } }, ['result']],
  ['another payment', { acceptance: { paymentRef: `0x${'11'.repeat(32)}` } }, ['payment']],
  ['no payment for a price', { acceptance: { paymentRef: ZERO_HASH } }, ['payment']],
  ['a payment for nothing', { receipt: { price: 0n } }, ['payment']],
  ['an input that was not hashed', { request: { inputHash: ZERO_HASH } }, ['input']],
  ['a promise that is over', { acceptance: { anchorBy: 1n } }, ['anchored']],
  [
    'times that no calendar has',
    { acceptance: { anchorBy: 2n ** 64n - 1n }, request: { clockMs: 2n ** 64n - 1n } },
    ['epoch'],
  ],
]
for (const [what, change, failing] of tampered) {
  test(`${what} is noticed`, async () => {
    const answer = await world.answer(change)
    assert.deepEqual((await outcomes(answer, false)).sort(), failing.sort())
    assert.equal((await verify(answer)).ok, false)
  })
}

test('signatures of strangers, of the wrong role and altered ones are noticed', async () => {
  const answer = await world.answer()
  const stranger = createPureSigner(Wallet.createRandom().privateKey as Hex)
  const { receipt } = answer
  const resign = (signer: { sign(digest: Hex): Hex }) =>
    signer.sign(hashMessage(world.domain, 'Receipt', receipt.receipt))
  for (const signature of [resign(stranger), resign(world.gatewayKey), `0x${'00'.repeat(65)}` as Hex]) {
    const forged = { ...answer, receipt: { ...receipt, receipt: { ...receipt.receipt, signature } } }
    assert.deepEqual(await outcomes(forged, false), ['worker signature'])
  }
  const swapped = { ...receipt, assignment: { ...receipt.assignment, signature: receipt.acceptance.signature } }
  assert.deepEqual(await outcomes({ ...answer, receipt: swapped }, false), ['gateway signatures'])
})

test('another body, request body, salt or service is noticed', async () => {
  const answer = await world.answer()
  assert.deepEqual(await outcomes({ ...answer, body: Buffer.from('{"price":"0.01"}') }, false), ['result'])
  assert.deepEqual(await outcomes({ ...answer, requestBody: Buffer.from('x') }, false), ['input'])
  assert.deepEqual(await outcomes({ ...answer, receipt: { ...answer.receipt, salt: ZERO_HASH } }, false), ['result'])
  assert.deepEqual(await outcomes(answer, false, { payment: { ...answer.payment, amount: 1n } }), ['payment'])
  assert.deepEqual(await outcomes(answer, false, { service: { owner: world.owner, project: 'other' } }), ['function'])
  assert.deepEqual(
    await outcomes(answer, false, { service: { owner: world.owner, project: 'shop', name: 'quote' } }),
    [],
  )
})

test('what is not at hand is pending, not failed', async () => {
  const answer = await world.answer()
  const short = { ...answer, receipt: { ...answer.receipt, input: undefined } }
  assert.deepEqual(await outcomes(short, 'pending'), ['input', 'anchored'])
  const request = {
    method: 'HEAD',
    host: '',
    sourceAddress: '',
    path: '/',
    query: '',
    headers: [],
    body: new Uint8Array(),
  }
  const head = await world.answer({ input: { kind: 'http', request } })
  assert.deepEqual(await outcomes({ ...head, requestBody: new Uint8Array(), body: new Uint8Array() }, 'pending'), [
    'result',
    'anchored',
  ])
})

test('a free call of a failing function names no payment', async () => {
  const answer = await world.answer({
    result: { kind: 'http', status: 2 },
    receipt: { price: 0n },
    acceptance: { paymentRef: ZERO_HASH },
  })
  assert.equal((await verify({ ...answer, body: new Uint8Array() })).ok, true)
})

test('batches whose data is withheld, falsified or of other leaves do not pass', async () => {
  const withheld = await world.answer()
  await world.anchor([withheld.receipt], { withhold: true })
  const result = await verify(withheld)
  assert.equal(result.checks.find(({ name }) => name === 'anchored')!.ok, false)

  // The data shows the receipt, the root on the chain commits to another one.
  const left = await world.answer()
  const out = await world.answer()
  await world.anchor([left.receipt], { data: [out.receipt] })
  assert.deepEqual(await outcomes(out, false), ['anchored'])

  const paid = await world.answer()
  const other = { ...paid.receipt, acceptance: { ...paid.receipt.acceptance, paymentRef: ZERO_HASH } }
  await world.anchor([other])
  assert.deepEqual(await outcomes(paid, false), ['anchored'])

  const digest = await world.anchor([(await world.answer()).receipt])
  for (const [cid, block] of world.blocks) world.blocks.set(cid, Buffer.concat([block, Buffer.from('x')]))
  assert.ok(digest)
  assert.deepEqual(await outcomes(await world.answer(), false), ['anchored'])
})

test('a receipt is read from header, JSON and saved file, and refused otherwise', async () => {
  const answer = await world.answer()
  const header = encodeReceiptHeader(answer.receipt)
  assert.deepEqual(parseReceipt(header).receipt.receipt, answer.receipt.receipt)
  const saved = JSON.stringify({
    ...receiptToJson(answer.receipt),
    body: Buffer.from(answer.body).toString('base64'),
    requestBody: '',
  })
  const read = parseReceipt(saved)
  assert.deepEqual(Buffer.from(read.body!), Buffer.from(answer.body))
  assert.equal(read.requestBody!.length, 0)
  assert.deepEqual(parseReceipt(JSON.parse(saved)).receipt.acceptance, answer.receipt.acceptance)
  for (const bad of [
    '',
    'x',
    '{}',
    '{',
    '[]',
    'null',
    JSON.stringify({ ...receiptToJson(answer.receipt), body: '***' }),
  ]) {
    assert.throws(() => parseReceipt(bad), { code: 'PH_RECEIPT_INVALID' })
  }
})

test('a chain that cannot be reached, is another one or has no contracts is an error, not a verdict', async () => {
  const answer = await world.answer()
  const { rpcUrl, contracts } = world.chain
  const { chainId } = NETWORKS.local
  const with_ = (options: Partial<Parameters<typeof createChainReader>[0]>) =>
    verify(answer, { chain: createChainReader({ rpcUrl, chainId, contracts, ...options }) })
  await assert.rejects(
    with_({ rpcUrl: 'http://127.0.0.1:1/secret-key' }),
    (error: { code: string; message: string }) => {
      assert.equal(error.code, 'PH_CHAIN_UNREACHABLE')
      assert.ok(!error.message.includes('secret-key'))
      return true
    },
  )
  await assert.rejects(with_({ chainId: 1 }), { code: 'PH_CHAIN_WRONG_NETWORK' })
  const nowhere: Hex = '0x00000000000000000000000000000000000000dd'
  await assert.rejects(
    with_({ contracts: { ExecutionCoordinator: nowhere, StakeVault: nowhere, PaymentVault: nowhere } }),
    { code: 'PH_CHAIN_CONTRACT_MISSING' },
  )
})
