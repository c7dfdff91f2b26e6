import { createLogReader, reasonOf, type TransactionSender } from '@peerhost/chain'
import {
  type BatchHeader,
  batchHeaderHash,
  cidOfDigest,
  DAG_PB,
  type Domain,
  decodeBatchData,
  earningLeaf,
  earningsTree,
  executionCoordinatorAbi,
  type Hex,
  hashMessage,
  PeerHostError,
  paymentVaultAbi,
  verifySumProof,
} from '@peerhost/protocol'
import { retrieve, type Source } from '@peerhost/storage'
import { Contract, Interface, type JsonRpcProvider } from 'ethers'

export interface ClaimEarningsOptions {
  provider: JsonRpcProvider
  sender: TransactionSender
  domain: Domain
  paymentVault: Hex
  gateway: Hex
  worker: Hex
  fromBlock: number
  /** Where a batch's data may be: the gateway's store. */
  sources: Source[]
  /** Atomic USDC below which a claim is not worth its gas. */
  minimum: bigint
}

const MAX_BATCH_BYTES = 64 * 1024 * 1024
const coordinatorFace = new Interface(executionCoordinatorAbi)
const vaultFace = new Interface(paymentVaultAbi)

/**
 * Claims what a gateway's newest final and covered batch says the worker has earned in all, less what it was paid. Returns
 * the amount in atomic USDC, 0 where there is nothing to claim.
 */
export async function claimEarnings(options: ClaimEarningsOptions): Promise<bigint> {
  const { provider, sender, gateway, worker, minimum, paymentVault } = options
  const vault = new Contract(paymentVault, paymentVaultAbi, provider)
  // Anybody may claim for a worker, and a run may end between claim and withdrawal: what was claimed is fetched first.
  const earned = (await vault.earningsOf!(gateway, worker)) as { claimed: bigint; withdrawn: bigint }
  const left = earned.claimed - earned.withdrawn
  const withdraw = async () => (await call('withdrawEarnings', [worker, [gateway]])).wait()
  const header = await newestPayable(options, vault)
  const amount = header ? await claim(header) : 0n
  if (left + amount === 0n || left + amount < minimum) return 0n
  await withdraw()
  return left + amount

  async function claim(header: BatchHeader): Promise<bigint> {
    const proof = await proveEarning(options, header)
    if (!proof) return 0n
    const amount = proof.cumulative / 100n - earned.claimed
    if (amount <= 0n || left + amount < minimum) return 0n
    await (await call('claim', [header, worker, proof.cumulative, proof.sumProof])).wait()
    return amount
  }

  function call(name: string, args: unknown[]) {
    return sender.send({ to: paymentVault, data: vaultFace.encodeFunctionData(name, args) as Hex })
  }
}

/** The newest of the gateway's batches that is final and that its pot covers. */
async function newestPayable(
  { provider, domain, gateway, fromBlock }: ClaimEarningsOptions,
  vault: Contract,
): Promise<BatchHeader | undefined> {
  const coordinator = new Contract(domain.verifyingContract, executionCoordinatorAbi, provider)
  const { anchoredAt } = (await coordinator.batchOf!(gateway, 0)) as { anchoredAt: bigint }
  if (anchoredAt === 0n) return undefined
  const received = ((await vault.potReceived!(gateway)) as bigint) * 100n
  const isPayable = async (header: BatchHeader): Promise<boolean> =>
    header.cumulativeWeight <= received &&
    ((await coordinator.isFinal!(header.gateway, header.index, batchHeaderHash(header))) as boolean)
  const filter = {
    address: domain.verifyingContract,
    topics: coordinatorFace.encodeFilterTopics('BatchAnchored', [gateway]) as Hex[],
  }
  const pages = createLogReader(provider).backwards(filter, fromBlock, await provider.getBlockNumber())
  for await (const { logs } of pages) {
    const headers = logs.map((log) => readHeader(coordinatorFace.parseLog(log)!.args.header))
    const newest = await lastOf(headers, isPayable)
    if (newest || headers[0]?.index === 0n) return newest
  }
  return undefined
}

/** The last of a list of which a condition holds, where it holds of all before it. */
async function lastOf<T>(list: readonly T[], holds: (each: T) => Promise<boolean>): Promise<T | undefined> {
  let low = 0
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >> 1
    if (await holds(list[middle]!)) low = middle + 1
    else high = middle
  }
  return list[low - 1]
}

function readHeader(header: BatchHeader & { count: bigint | number }): BatchHeader {
  const { gateway, index, predecessor, receiptsRoot, earningsRoot, dataDigest, count, cumulativeWeight, reserved } =
    header
  return {
    gateway: gateway.toLowerCase() as Hex,
    index,
    predecessor,
    receiptsRoot,
    earningsRoot,
    dataDigest,
    count: Number(count),
    cumulativeWeight,
    reserved,
  }
}

/** The worker's leaf with its proof, from data that is checked against the anchored root. */
async function proveEarning({ domain, worker, sources }: ClaimEarningsOptions, header: BatchHeader) {
  const data = await retrieve(cidOfDigest(header.dataDigest, DAG_PB), sources, { maxBytes: MAX_BATCH_BYTES })
  const { earnings } = decodeBatchData(data, (receipt) => hashMessage(domain, 'Receipt', receipt))
  const index = earnings.findIndex((earning) => earning.worker === worker)
  const earning = earnings[index]
  if (!earning) return undefined
  const tree = earningsTree(earnings)
  const sumProof = tree.proof(index)
  if (!verifySumProof(header.earningsRoot, earningLeaf(earning), sumProof)) {
    throw new PeerHostError('PH_RECEIPT_CHECK_FAILED', {
      detail: `the earnings of batch ${header.index} are not what its root says`,
    })
  }
  return { cumulative: earning.cumulative, sumProof }
}

/** Runs a claim every so often, one at a time, and says what came of it. */
export function claimRegularly(
  claim: () => Promise<bigint>,
  {
    intervalMs,
    onClaimed,
    onError,
  }: { intervalMs: number; onClaimed: (amount: bigint) => void; onError: (reason: string) => void },
): () => Promise<void> {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= claim()
      .then((amount) => {
        if (amount > 0n) onClaimed(amount)
      })
      .catch((error: unknown) => onError(reasonOf(error)))
      .finally(() => {
        running = undefined
      })
  }, intervalMs)
  return async () => {
    clearInterval(timer)
    await running
  }
}
