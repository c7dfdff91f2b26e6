import { createLogReader, nodeError } from '@peerhost/chain'
import {
  type BatchHeader,
  cidOfDigest,
  DAG_PB,
  type Domain,
  decodeBatchData,
  executionCoordinatorAbi,
  type Hex,
  hashMessage,
  PeerHostError,
} from '@peerhost/protocol'
import { retrieve, type Source } from '@peerhost/storage'
import { Interface, type JsonRpcProvider } from 'ethers'

export const coordinatorInterface = new Interface(executionCoordinatorAbi)

const lower = (text: string) => text.toLowerCase() as Hex

/** Asks the node; throws PH_CHAIN_UNREACHABLE where it does not answer. */
const ask = <T>(provider: JsonRpcProvider, method: string, params: unknown[]): Promise<T> =>
  provider.send(method, params).catch((cause: unknown) => {
    throw nodeError(provider, cause)
  })

/** The last batch that the chain has of a gateway. The coordinator keeps 28 bytes of a header's hash. */
export interface AnchoredHead {
  index: number
  /** `0x` and the first 28 bytes. */
  hashPrefix: Hex
}

/** True where that is the head's header. */
export const isHead = (
  head: AnchoredHead | undefined,
  { index, headerHash }: { index: number; headerHash: Hex },
): boolean => head !== undefined && head.index === index && headerHash.startsWith(head.hashPrefix)

/**
 * Finds the last batch that a gateway anchored, undefined before the first. The chain's batches have no gaps, so their
 * end is found by doubling steps from a batch that is thought to be there, and halving them.
 *
 * @param hint index to look at first
 */
export async function readHead(
  provider: JsonRpcProvider,
  coordinator: Hex,
  gateway: Hex,
  hint = 0,
): Promise<AnchoredHead | undefined> {
  const hashAt = async (index: number): Promise<Hex | undefined> => {
    const data = coordinatorInterface.encodeFunctionData('batchOf', [gateway, index])
    const result = await ask<Hex>(provider, 'eth_call', [{ to: coordinator, data }, 'latest'])
    const [hash, anchoredAt] = coordinatorInterface.decodeFunctionResult('batchOf', result)
    return anchoredAt === 0n ? undefined : hash
  }
  let there = -1
  let missing = Math.max(0, hint)
  let step = 1
  for (let hash = await hashAt(missing); hash !== undefined; hash = await hashAt(missing)) {
    there = missing
    missing += step
    step *= 2
  }
  while (missing - there > 1) {
    const middle = Math.floor((there + missing) / 2)
    if (await hashAt(middle)) there = middle
    else missing = middle
  }
  const hashPrefix = there < 0 ? undefined : await hashAt(there)
  return hashPrefix && { index: there, hashPrefix }
}

/** Finds an anchored header in the coordinator's events, from the newest block back to `fromBlock`. */
export async function findHeader(
  provider: JsonRpcProvider,
  coordinator: Hex,
  gateway: Hex,
  head: AnchoredHead,
  fromBlock: number,
): Promise<{ header: BatchHeader; headerHash: Hex }> {
  const topics = coordinatorInterface.encodeFilterTopics('BatchAnchored', [gateway, head.index]) as Hex[]
  const newest = Number(await ask<Hex>(provider, 'eth_blockNumber', []))
  const pages = createLogReader(provider).backwards({ address: coordinator, topics }, fromBlock, newest)
  for await (const { logs } of pages) {
    for (const log of logs) {
      const { args } = coordinatorInterface.parseLog(log)!
      if (!String(args.headerHash).startsWith(head.hashPrefix)) continue
      const { header } = args
      return {
        headerHash: args.headerHash,
        header: {
          gateway: lower(header.gateway),
          index: header.index,
          predecessor: header.predecessor,
          receiptsRoot: header.receiptsRoot,
          earningsRoot: header.earningsRoot,
          dataDigest: header.dataDigest,
          count: Number(header.count),
          cumulativeWeight: header.cumulativeWeight,
          reserved: header.reserved,
        },
      }
    }
  }
  throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url: 'the node', detail: `it has no event of batch ${head.index}` })
}

/** The data of an anchored batch. */
export async function readData(header: BatchHeader, domain: Domain, sources: readonly (Source | string)[]) {
  const bytes = await retrieve(cidOfDigest(header.dataDigest, DAG_PB), sources)
  return decodeBatchData(bytes, (receipt) => hashMessage(domain, 'Receipt', receipt))
}
