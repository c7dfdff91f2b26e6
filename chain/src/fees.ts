import type { JsonRpcProvider } from 'ethers'

/** What a transaction offers for its gas, in the chain's smallest unit (EIP-1559). */
export interface Fees {
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
}

/** A tip is not raised above this many times what the market asks: then it is not the price that holds it up. */
const MAX_TIP_FACTOR = 10n

const min = (a: bigint, b: bigint) => (a < b ? a : b)
const max = (a: bigint, b: bigint) => (a > b ? a : b)
/** An eighth more, rounded up: nodes take a replacement from a tenth more on. */
const raised = (fee: bigint) => fee + (fee + 7n) / 8n

/** What the market asks now, with room for some full blocks; never above `cap`. */
export async function marketFees(provider: JsonRpcProvider, cap: bigint): Promise<Fees> {
  const data = await provider.getFeeData()
  const tip = data.maxPriorityFeePerGas ?? 1_000_000_000n
  const maxFeePerGas = min((data.maxFeePerGas ?? data.gasPrice ?? tip) + tip, cap)
  return { maxFeePerGas, maxPriorityFeePerGas: min(tip, maxFeePerGas) }
}

/**
 * What a replacement of a transaction has to offer: both fees an eighth above `old`, and what the market asks. Undefined
 * where that would be above `cap`, or a tip out of all proportion.
 */
export function replacementFees(old: Fees, market: Fees, cap: bigint): Fees | undefined {
  const maxFeePerGas = max(raised(old.maxFeePerGas), market.maxFeePerGas)
  const maxPriorityFeePerGas = max(raised(old.maxPriorityFeePerGas), market.maxPriorityFeePerGas)
  if (maxFeePerGas > cap) return undefined
  if (maxPriorityFeePerGas > max(MAX_TIP_FACTOR * market.maxPriorityFeePerGas, 1_000_000_000n)) return undefined
  return { maxFeePerGas, maxPriorityFeePerGas: min(maxPriorityFeePerGas, maxFeePerGas) }
}
