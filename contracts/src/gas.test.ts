import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { batchHeaderHash, type Hex, type SumLeaf, SumTree, ZERO_HASH } from '@peerhost/protocol'
import { type JsonRpcSigner, Wallet } from 'ethers'
import { mined } from '../test/support/chain.ts'
import {
  as,
  bond,
  firstBatch,
  hash,
  openNetwork,
  registerHotKey,
  spec,
  type TestNetwork,
} from '../test/support/network.ts'

/**
 * Gas of whole transactions, as receipts state it. `contracts/snapshots/gas.json` holds the figures, so that a change
 * shows what it costs; `PEERHOST_UPDATE_SNAPSHOTS=1` writes it. The limits are protocol.md's table.
 */
const SNAPSHOT = new URL('../snapshots/gas.json', import.meta.url)

const LIMITS: Record<string, number> = {
  'anchor: the first batch of a gateway': 80_000,
  'anchor: sent by the bonded address': 80_000,
  'anchor: sent by a hot key': 80_000,
  'anchor: 10,000 leaves': 80_000,
  'claim: first, 1,024 workers': 95_000,
  'claim: again, 1,024 workers': 65_000,
  'sweep: first, with the account': 200_000,
  'sweep: again': 70_000,
  'stake: first': 210_000,
  'stake: top up': 130_000,
  'deploy: one more new function': 60_000,
  'deploy: one more new version': 45_000,
}

const gas: Record<string, number> = {}
let network: TestNetwork

before(async () => {
  network = await openNetwork()
})
after(() => network.close())

async function measure(name: string, sent: Parameters<typeof mined>[0]): Promise<void> {
  gas[name] = Number((await mined(sent)).gasUsed)
}

test('stake and hot keys', async () => {
  const { usdc, stakeVault, signers } = network
  const [, , owner] = signers as JsonRpcSigner[]
  await mined(usdc.mint!(owner!.address, 10_000_000_000n))
  await mined(as(usdc, owner!).approve!(stakeVault.target, 5_000_000_000n))
  await measure('stake: first', as(stakeVault, owner!).stake!(1))
  await network.pass(600)
  await measure('stake: top up', as(stakeVault, owner!).stake!(2))
  await measure('unbond', as(stakeVault, owner!).unbond!(100_000_000))
  const key = new Wallet(hash('a hot key'))
  const before = await network.provider.getBlockNumber()
  await registerHotKey(network, owner!, key)
  const [transaction] = (await network.provider.getBlock(before + 1))!.transactions
  gas['register a hot key'] = Number((await network.provider.getTransactionReceipt(transaction!))!.gasUsed)
})

test('deploy', async () => {
  const { coordinator, signers } = network
  const owner = as(coordinator, signers[4]!)
  const functions = Array.from({ length: 10 }, (_, i) => spec(`function-${i}`))
  const versions = functions.map(({ name }) => spec(name, hash(`${name} again`)))
  await measure('deploy: 1 new function', owner.deploy!('one', functions.slice(0, 1)))
  await measure('deploy: 10 new functions', owner.deploy!('ten', functions))
  await measure('deploy: 1 new version', owner.deploy!('one', versions.slice(0, 1)))
  await measure('deploy: 10 new versions', owner.deploy!('ten', versions))
  gas['deploy: one more new function'] = perFunction('new functions', '1 new function')
  gas['deploy: one more new version'] = perFunction('new versions', '1 new version')
})

const perFunction = (ten: string, one: string) => Math.ceil((gas[`deploy: 10 ${ten}`]! - gas[`deploy: ${one}`]!) / 9)

test('payments, batches and claims', async () => {
  const { usdc, coordinator, paymentVault, signers } = network
  const [, , , , , gateway, owner, payer] = signers as JsonRpcSigner[]
  const key = new Wallet(hash('the gateway'), network.provider)
  await bond(network, gateway!, 5)
  await registerHotKey(network, gateway!, key)
  await mined(gateway!.sendTransaction({ to: key.address, value: 10n ** 18n }) as never)

  const account: string = await paymentVault.accountOf!(gateway!.address, owner!.address)
  await mined(usdc.mint!(payer!.address, 1_000_000_000n))
  await mined(as(usdc, payer!).transfer!(account, 1_000_000n))
  await measure('sweep: first, with the account', paymentVault.sweep!(gateway!.address, owner!.address))
  await mined(as(usdc, payer!).transfer!(account, 123_457n))
  await measure('sweep: again', paymentVault.sweep!(gateway!.address, owner!.address))

  const trees = [1n, 2n, 3n].map((round) => earnings(round))
  const headers = [firstBatch(gateway!.address)]
  headers[0]!.earningsRoot = trees[0]!.root
  headers[0]!.cumulativeWeight = trees[0]!.sum
  for (const tree of trees.slice(1)) {
    const last = headers.at(-1)!
    const next = {
      ...last,
      index: last.index + 1n,
      predecessor: batchHeaderHash(last),
      receiptsRoot: hash(`${last.index}`),
    }
    headers.push({
      ...next,
      earningsRoot: tree.root,
      cumulativeWeight: tree.sum,
      count: next.index === 2n ? 10_000 : 1000,
    })
  }
  await measure('anchor: the first batch of a gateway', as(coordinator, key).anchor!(headers[0]))
  await measure('anchor: sent by the bonded address', as(coordinator, gateway!).anchor!(headers[1]))
  await measure('anchor: 10,000 leaves', as(coordinator, key).anchor!(headers[2]))
  const last = { ...headers[2]!, index: 3n, predecessor: batchHeaderHash(headers[2]!), receiptsRoot: hash('3') }
  await measure('anchor: sent by a hot key', as(coordinator, key).anchor!(last))
  await network.pass(31)
  gas['anchor: a request’s share at 1,000 a batch'] = Math.ceil(gas['anchor: sent by a hot key']! / 1000)

  const worker = (index: number) => trees[0]!.leaf(index)
  const claim = (batch: number, index: number) =>
    paymentVault.claim!(
      headers[batch],
      worker(index).address,
      trees[batch]!.leaf(index).weight,
      trees[batch]!.proof(index),
    )
  await measure('claim: first, 1,024 workers', claim(0, 500))
  await measure('claim: again, 1,024 workers', claim(1, 500))
  const earned: bigint = await paymentVault.claimed!(gateway!.address, worker(500).address)
  assert.equal(earned, trees[1]!.leaf(500).weight / 100n)
  await measure('withdraw earnings: first', paymentVault.withdrawEarnings!(worker(500).address, [gateway!.address]))

  await measure('withdraw', as(paymentVault, owner!).withdraw!(owner!.address, 1000))
  await mined(as(usdc, payer!).approve!(paymentVault.target, 1_000_000n))
  await measure('grant: first', as(paymentVault, payer!).grant!(gateway!.address, 1_000_000n, 100_000n))
  await mined(as(paymentVault, key).drawGrant!(gateway!.address, payer!.address, 10_000n))
  await measure('draw from a grant', as(paymentVault, key).drawGrant!(gateway!.address, payer!.address, 10_000n))
})

/** The earnings of 1,024 workers after some rounds, of about 20 calls of 1/1,000,000 USDC each. */
function earnings(round: bigint) {
  const leaves = Array.from({ length: 1024 }, (_, i) => `0x${hash(`worker ${i}`).slice(26)}` as Hex)
    .sort()
    .map((address, i) => ({ address, weight: round * (10_000n + BigInt(i)) }))
  const tree = new SumTree(
    leaves.map(
      ({ address, weight }): SumLeaf => ({
        key: `0x${'00'.repeat(12)}${address.slice(2)}`,
        reference: ZERO_HASH,
        weight,
      }),
    ),
  )
  return {
    root: tree.root,
    sum: tree.sum,
    proof: (index: number) => tree.proof(index),
    leaf: (index: number) => leaves[index]!,
  }
}

test('nothing costs more than protocol.md allows', () => {
  for (const [name, limit] of Object.entries(LIMITS)) {
    assert.ok(gas[name] !== undefined && gas[name] <= limit, `${name}: ${gas[name]} gas, at most ${limit}`)
  }
  assert.ok(gas['anchor: a request’s share at 1,000 a batch']! <= 80)
})

test('the snapshot says what it costs', async () => {
  const text = `${JSON.stringify(gas, null, 2)}\n`
  if (process.env.PEERHOST_UPDATE_SNAPSHOTS) await writeFile(SNAPSHOT, text)
  assert.equal(
    await readFile(SNAPSHOT, 'utf8'),
    text,
    'contracts/snapshots/gas.json: PEERHOST_UPDATE_SNAPSHOTS=1 writes it',
  )
})
