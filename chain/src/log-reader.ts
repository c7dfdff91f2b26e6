import type { Hex } from '@peerhost/protocol'
import type { JsonRpcProvider } from 'ethers'
import { nodeError } from './node-error.ts'

/** A log as nodes give it. */
export interface RawLog {
  address: Hex
  topics: Hex[]
  data: Hex
  blockNumber: Hex
  blockHash: Hex
  transactionHash: Hex
  removed?: boolean
}

export interface LogFilter {
  address: Hex | readonly Hex[]
  topics: readonly (Hex | readonly Hex[] | null)[]
}

/** The logs of some blocks, both ends included. */
export interface LogPage {
  from: number
  to: number
  logs: RawLog[]
}

/** Reads logs in as many steps as the node wants; remembers how many blocks it takes at once. */
export interface LogReader {
  /** The first page of `from` to `to`. */
  first(filter: LogFilter, from: number, to: number): Promise<LogPage>
  /** Pages from `to` back to `from`, the newest first; within a page logs are in the chain's order. */
  backwards(filter: LogFilter, from: number, to: number): AsyncGenerator<LogPage>
}

/** Blocks asked for at once, to begin with. */
const RANGE = 2_000
/** Pages that went well until a wider one is tried again. */
const PATIENCE = 16

const quantity = (value: number): Hex => `0x${value.toString(16)}`

/** What a node answers, other than that it does not answer at all. */
function isAnswer(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === 'UNKNOWN_ERROR' || code === 'SERVER_ERROR' || code === 'BAD_DATA' || code === 'CALL_EXCEPTION'
}

/**
 * Makes a reader. Nodes limit blocks or results of one question, each in its own words: whatever they answer to a wide
 * range with an error is asked for again with half of it. Throws PH_CHAIN_UNREACHABLE.
 */
export function createLogReader(provider: JsonRpcProvider): LogReader {
  let range = RANGE
  let patience = 0

  async function read({ address, topics }: LogFilter, pageOf: (range: number) => [from: number, to: number]) {
    for (;;) {
      const [from, to] = pageOf(range)
      const filter = { address, topics, fromBlock: quantity(from), toBlock: quantity(to) }
      try {
        const logs = (await provider.send('eth_getLogs', [filter])) as RawLog[]
        const kept = logs.filter(({ removed }) => !removed)
        if (to - from + 1 === range && --patience < 0) range = Math.min(2 * range, RANGE)
        return { from, to, logs: kept }
      } catch (error) {
        const width = to - from + 1
        // A node that is too slow for so much may be quick enough for less the next time.
        if (width > 1) range = Math.floor(width / 2)
        patience = PATIENCE
        if (width === 1 || !isAnswer(error)) throw nodeError(provider, error)
      }
    }
  }

  return {
    first: (filter, from, to) => read(filter, (width) => [from, Math.min(from + width - 1, to)]),
    async *backwards(filter, from, to) {
      for (let end = to; end >= from; ) {
        const page = await read(filter, (width) => [Math.max(from, end - width + 1), end])
        yield page
        end = page.from - 1
      }
    },
  }
}
