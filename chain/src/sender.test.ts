import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import type { Hex } from '@peerhost/protocol'
import { toQuantity } from 'ethers'
import { type CreateSenderOptions, createSender, type TransactionSender } from './index.ts'

const GWEI = 10n ** 9n
const TARGET: Hex = `0x${'77'.repeat(20)}`
let chain: TestChain
beforeEach(async () => {
  chain = await startTestChain()
  await chain.provider.send('evm_setAutomine', [false])
})
afterEach(() => chain.stop())

const fast = { pollMs: 10, stuckSeconds: 0.02, stuckBlocks: 2 }
const senderOf = (privateKey: string, options: Partial<CreateSenderOptions> = {}): TransactionSender =>
  createSender({ provider: chain.provider, privateKey, ...fast, ...options })
const call = (n: number) => ({ to: TARGET, data: `0x${n.toString(16).padStart(2, '0')}` as Hex, gasLimit: 50_000n })
const transaction = async (hash: string) => (await chain.provider.getTransaction(hash))!
const pending = async () =>
  (await chain.provider.send('eth_getBlockByNumber', ['pending', true])).transactions as { hash: string }[]

/** Mines blocks of this base fee until a promise is settled. */
async function mineUntil<T>(done: Promise<T>, baseFee: bigint): Promise<T> {
  let over = false
  const ended = done.finally(() => {
    over = true
  })
  ended.catch(() => {})
  while (!over) {
    await chain.provider.send('anvil_setNextBlockBaseFeePerGas', [toQuantity(baseFee)])
    await chain.provider.send('evm_mine', [])
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  return ended
}

test('a transaction whose fee the chain has outgrown is replaced by one that pays more, under its number', async () => {
  const sender = senderOf((await chain.account()).privateKey)
  const sent = await Promise.all([sender.send(call(1)), sender.send(call(2))])
  const first = await Promise.all(sent.map(({ hash }) => transaction(hash)))
  const receipts = await mineUntil(Promise.all(sent.map(({ wait }) => wait())), 100n * GWEI)
  const mined = await Promise.all(receipts.map(({ hash }) => transaction(hash)))
  mined.forEach((each, i) => {
    assert.notEqual(each.hash, sent[i]!.hash)
    assert.equal(each.nonce, first[i]!.nonce)
    assert.equal(each.data, first[i]!.data)
    assert.ok(each.maxFeePerGas! * 8n >= first[i]!.maxFeePerGas! * 9n)
    assert.ok(each.maxPriorityFeePerGas! * 8n >= first[i]!.maxPriorityFeePerGas! * 9n)
  })
  assert.equal(await chain.provider.getTransactionCount(sender.address), 2)
})

test('fees stay below their cap; a call given up on is the same transaction when it is sent again', async () => {
  const sender = senderOf((await chain.account()).privateKey, { maxFeePerGas: 20n * GWEI, timeoutSeconds: 0.5 })
  const sent = await sender.send(call(1))
  await assert.rejects(mineUntil(sent.wait(), 100n * GWEI), { code: 'PH_CHAIN_TIMEOUT' })
  const again = await sender.send(call(1))
  const receipt = await mineUntil(again.wait(), 10n * GWEI)
  const mined = await transaction(receipt.hash)
  assert.equal(mined.nonce, 0)
  assert.ok(mined.maxFeePerGas! <= 20n * GWEI)
  const next = await mineUntil((await sender.send(call(1))).wait(), 10n * GWEI)
  assert.equal((await transaction(next.hash)).nonce, 1, 'what was mined is not waited for again')
  assert.equal(await chain.provider.getTransactionCount(sender.address), 2)
})

test('a transaction that the node has forgotten is handed to it again', async () => {
  const sender = senderOf((await chain.account()).privateKey)
  const sent = await sender.send(call(1))
  await chain.provider.send('anvil_dropTransaction', [sent.hash])
  const receipt = await mineUntil(sent.wait(), 1n * GWEI)
  assert.equal((await transaction(receipt.hash)).nonce, 0)
})

test('what a former run left stuck does not block the transactions of the next one', async () => {
  const { privateKey } = await chain.account()
  await senderOf(privateKey).send(call(1))
  const sender = senderOf(privateKey, { isOwnKey: true })
  const sent = await sender.send(call(2))
  const receipt = await mineUntil(sent.wait(), 100n * GWEI)
  assert.equal((await transaction(receipt.hash)).nonce, 1)
})

test('nothing is re-priced while the chain makes no blocks', async () => {
  const sender = senderOf((await chain.account()).privateKey, { timeoutSeconds: 0.4 })
  const { hash, wait } = await sender.send(call(1))
  await assert.rejects(wait(), { code: 'PH_CHAIN_TIMEOUT' })
  assert.deepEqual(
    (await pending()).map((each) => each.hash),
    [hash],
  )
})
