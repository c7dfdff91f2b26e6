import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSender } from '@peerhost/chain'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import {
  type BatchHeader,
  type BatchLeaf,
  digestOfCid,
  type Earning,
  earningsTree,
  encodeBatchData,
  executionCoordinatorAbi,
  type Hex,
  hashMessage,
  NETWORKS,
  paymentVaultAbi,
  receiptsTree,
  stakeVaultAbi,
  testUsdcAbi,
  ZERO_HASH,
} from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { EmbeddedStore, importBytes } from '@peerhost/storage'
import { Contract, makeError } from 'ethers'
import { claimEarnings } from './claim-earnings.ts'

const folder = mkdtempSync(join(tmpdir(), 'peerhost-claims-'))
const store = new EmbeddedStore({ path: folder })
let chain: TestChain
let gateway: Awaited<ReturnType<TestChain['account']>>
let worker: Awaited<ReturnType<TestChain['account']>>
let vault: Contract
let usdc: Contract
const other: Hex = `0x${'ee'.repeat(20)}`

before(async () => {
  chain = await startTestChain()
  gateway = await chain.account(1_000_000_000n)
  worker = await chain.account()
  vault = new Contract(chain.contracts.PaymentVault, paymentVaultAbi, gateway.signer)
  usdc = new Contract(chain.usdc, testUsdcAbi, gateway.signer)
  await (await usdc.approve!(chain.contracts.StakeVault, 500_000_000n)).wait()
  await (await usdc.approve!(chain.contracts.PaymentVault, 500_000_000n)).wait()
  await (await new Contract(chain.contracts.StakeVault, stakeVaultAbi, gateway.signer).stake!(5)).wait()
})
after(async () => {
  await store.close()
  await chain?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const domain = () => ({
  chainId: NETWORKS.local.chainId,
  verifyingContract: chain.contracts.ExecutionCoordinator.toLowerCase() as Hex,
})

/** A receipt of a call of that price, signed by nobody: claims look at earnings only. */
function leaf(price: bigint): BatchLeaf {
  const receipt = {
    assignmentHash: ZERO_HASH,
    requestHash: ZERO_HASH,
    serviceId: ZERO_HASH,
    version: 1,
    codeDigest: ZERO_HASH,
    runtimeId: ZERO_HASH,
    sandbox: 1,
    resultCommit: ZERO_HASH,
    tapeRoot: ZERO_HASH,
    status: 0,
    price,
    epoch: 0n,
    worker: worker.address,
  }
  const receiptHash = hashMessage(domain(), 'Receipt', receipt)
  const signature: Hex = createSigner(gateway.privateKey).sign(receiptHash)
  return {
    receipt,
    receiptHash,
    receiptSignature: signature,
    acceptance: { receiptHash, paymentRef: ZERO_HASH, anchorBy: 0n },
    acceptanceSignature: signature,
  }
}

async function anchor(index: bigint, predecessor: Hex, earnings: Earning[]): Promise<Hex> {
  const leaves = [leaf(index + 1n)]
  const data = await importBytes(encodeBatchData(leaves, earnings), { dagRoot: true })
  await store.put(data)
  const tree = earningsTree(earnings)
  const header: BatchHeader = {
    gateway: gateway.address,
    index,
    predecessor,
    receiptsRoot: receiptsTree(leaves).root,
    earningsRoot: tree.root,
    dataDigest: digestOfCid(data.cid).digest,
    count: 1,
    cumulativeWeight: tree.sum,
    reserved: ZERO_HASH,
  }
  const coordinator = new Contract(chain.contracts.ExecutionCoordinator, executionCoordinatorAbi, gateway.signer)
  const hash = (await coordinator.anchor!.staticCall(header)) as Hex
  await (await coordinator.anchor!(header)).wait()
  return hash
}

const claim = () => {
  const sender = createSender({ provider: chain.provider, privateKey: worker.privateKey })
  return claimEarnings({
    provider: chain.provider,
    sender,
    domain: domain(),
    paymentVault: chain.contracts.PaymentVault,
    gateway: gateway.address,
    worker: worker.address,
    fromBlock: 0,
    sources: [store],
    minimum: 1n,
  })
}
/** Has the node refuse to look at more blocks at once, as public ones do; returns how many were asked for. */
function limitLogs(most: number): number[] {
  const asked: number[] = []
  const { send } = chain.provider
  chain.provider.send = function (method: string, params: unknown[]) {
    if (method === 'eth_getLogs') {
      const { fromBlock, toBlock } = (params as { fromBlock: string; toBlock?: string }[])[0]!
      const width = toBlock === undefined ? Number.POSITIVE_INFINITY : Number(toBlock) - Number(fromBlock) + 1
      asked.push(width)
      if (width > most) return Promise.reject(makeError('block range is too wide', 'UNKNOWN_ERROR'))
    }
    return send.call(this, method, params as never)
  }
  return asked
}
const pass = async (seconds: number) => {
  await chain.provider.send('evm_increaseTime', [seconds])
  await chain.provider.send('evm_mine', [])
}
const sorted = (earnings: Earning[]) => earnings.sort((a, b) => (a.worker < b.worker ? -1 : 1))

test('a worker is paid what the newest final, covered batch says, once', async () => {
  assert.equal(await claim(), 0n, 'before there is a batch')
  const first = await anchor(
    0n,
    ZERO_HASH,
    sorted([
      { worker: worker.address, cumulative: 50_050n },
      { worker: other, cumulative: 10_000n },
    ]),
  )
  assert.equal(await claim(), 0n, 'before it is final')
  await pass(31)
  assert.equal(await claim(), 0n, 'before the pot covers it')
  await (await vault.addToPot!(gateway.address, 1_000n)).wait()
  assert.equal(await claim(), 500n)
  assert.equal(await usdc.balanceOf!(worker.address), 500n)
  assert.equal(await claim(), 0n, 'a second time')

  await anchor(
    1n,
    first,
    sorted([
      { worker: worker.address, cumulative: 80_000n },
      { worker: other, cumulative: 10_000n },
    ]),
  )
  await pass(31)
  await chain.provider.send('anvil_mine', ['0x1388'])
  const asked = limitLogs(100)
  assert.equal(await claim(), 300n)
  assert.ok(asked.every((width) => width <= 2_000) && asked.includes(62), String(asked))
  assert.equal(await usdc.balanceOf!(worker.address), 800n)
})
