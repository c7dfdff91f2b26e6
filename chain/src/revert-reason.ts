import { contractErrorsAbi } from '@peerhost/protocol'
import { Interface } from 'ethers'
import { reasonOf } from './connect-chain.ts'

const errors = new Interface(contractErrorsAbi)

/** Finds the data of a revert in the nested errors that ethers and nodes give. */
function dataOf(error: unknown, depth = 0): string | undefined {
  if (typeof error !== 'object' || error === null || depth > 4) return undefined
  const { data, error: inner, info } = error as { data?: unknown; error?: unknown; info?: unknown }
  if (typeof data === 'string' && /^0x[0-9a-f]{8,}$/i.test(data)) return data
  return dataOf(data, depth + 1) ?? dataOf(inner, depth + 1) ?? dataOf(info, depth + 1)
}

/** The custom error of a revert with its arguments, `NothingToRetire(quote)`; else the node's own words. */
export function revertReason(error: unknown): string {
  const data = dataOf(error)
  if (data) {
    try {
      const parsed = errors.parseError(data)
      if (parsed) return `${parsed.name}(${parsed.args.map(String).join(', ')})`
    } catch {}
  }
  return reasonOf(error)
}
