import {
  type BatchHeader,
  cidOfDigest,
  DAG_PB,
  decodeBatchData,
  type Earning,
  executionCoordinatorAbi,
  type Hex,
  PeerHostError,
  ZERO_HASH,
} from '@peerhost/protocol'
import { retrieve, type Source } from '@peerhost/storage'
import { Interface, type JsonRpcProvider } from 'ethers'

export const coordinatorInterface = new Interface(executionCoordinatorAbi)

const lower = (text: string) => text.toLowerCase() as Hex
/** Blocks asked for at once. */
const RANGE = 2_000

/** Hash of the last header that a gateway anchored, ZERO_HASH before the first. */
export async function readHead(provider: JsonRpcProvider, coordinator: Hex, gateway: Hex): Promise<Hex> {
  const data = coordinatorInterface.encodeFunctionData('headOf', [gateway])
  return (await provider.send('eth_call', [{ to: coordinator, data }, 'latest'])) as Hex
}

/** Finds an anchored header by its hash in the coordinator's events, from the newest block back to `fromBlock`. */
export async function findHeader(
  provider: JsonRpcProvider,
  coordinator: Hex,
  gateway: Hex,
  hash: Hex,
  fromBlock: number,
): Promise<BatchHeader> {
  const topics = [coordinatorInterface.getEvent('BatchAnchored')!.topicHash, `0x${'00'.repeat(12)}${gateway.slice(2)}`]
  const hex = (value: number) => `0x${value.toString(16)}`
  for (let to = Number(await provider.send('eth_blockNumber', [])); to >= fromBlock; to -= RANGE) {
    const range = { fromBlock: hex(Math.max(fromBlock, to - RANGE + 1)), toBlock: hex(to) }
    const logs = await provider.send('eth_getLogs', [{ address: coordinator, topics, ...range }])
    for (const log of logs as { topics: Hex[]; data: Hex }[]) {
      const { args } = coordinatorInterface.parseLog(log)!
      if (args.headerHash !== hash) continue
      const { header } = args
      return {
        gateway: lower(header.gateway),
        index: header.index,
        predecessor: header.predecessor,
        receiptsRoot: header.receiptsRoot,
        earningsRoot: header.earningsRoot,
        dataDigest: header.dataDigest,
        count: Number(header.count),
        cumulativeWeight: header.cumulativeWeight,
        reserved: header.reserved,
      }
    }
  }
  throw new PeerHostError('PH_CHAIN_UNREACHABLE', { url: 'the node', detail: `it has no event of the batch ${hash}` })
}

/** The earnings after an anchored batch, from its data. */
export async function readEarnings(header: BatchHeader, sources: readonly (Source | string)[]): Promise<Earning[]> {
  const bytes = await retrieve(cidOfDigest(header.dataDigest, DAG_PB), sources)
  return decodeBatchData(bytes, () => ZERO_HASH).earnings
}
