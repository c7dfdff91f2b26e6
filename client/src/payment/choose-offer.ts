import { formatUsdc, type Hex, isHex, PeerHostError } from '@peerhost/protocol'
import type { PaymentRequirements } from '@x402/core/types'

/** A token on a network in which payments may be made; NETWORKS of @peerhost/protocol has the known ones. */
export interface PaymentNetwork {
  chainId: number
  usdc: { address: Hex; name: string; version: string }
}

export interface SpendPolicy {
  networks: readonly PaymentNetwork[]
  /** Atomic USDC. */
  maxPrice: bigint
  /** Says whether a payee is the right one, for example the vault account of the gateway and the service's owner. Default: any but the payer. */
  acceptPayee?: (payTo: Hex, offer: { url: string; chainId: number }) => boolean | Promise<boolean>
}

/**
 * Longest time for which an authorization is signed, in seconds: until then the payee can collect it, whatever became of
 * the request.
 */
const MAX_VALIDITY = 3600

/** CAIP-2 id of a network. */
export const networkId = ({ chainId }: Pick<PaymentNetwork, 'chainId'>): `eip155:${number}` => `eip155:${chainId}`

/**
 * Picks the cheapest of a server's offers that may be signed. Everything in an offer is the server's word: scheme, token,
 * its EIP-712 names, payee, amount and validity are checked, and what would sign anything but one EIP-3009 transfer of
 * USDC (Permit2, payment before the answer, channels) is passed over.
 *
 * @throws PH_PAY_TOO_EXPENSIVE where only the price stands in the way, else PH_PAY_OFFER_UNACCEPTABLE
 */
export async function chooseOffer(
  accepts: readonly PaymentRequirements[],
  policy: SpendPolicy,
  context: { url: string; payer?: string },
): Promise<PaymentRequirements> {
  const reasons: string[] = []
  const affordable: PaymentRequirements[] = []
  let cheapest: bigint | undefined
  for (const offer of accepts.slice(0, 32)) {
    const reason = await objection(offer, policy, context)
    if (reason) {
      reasons.push(reason)
      continue
    }
    const amount = BigInt(offer.amount)
    if (cheapest === undefined || amount < cheapest) cheapest = amount
    if (amount <= policy.maxPrice) affordable.push(offer)
  }
  const [best] = affordable.sort((a, b) => (BigInt(a.amount) < BigInt(b.amount) ? -1 : 1))
  if (best) return best
  if (cheapest !== undefined) {
    const words = { price: formatUsdc(cheapest), limit: formatUsdc(policy.maxPrice) }
    throw new PeerHostError('PH_PAY_TOO_EXPENSIVE', words)
  }
  throw new PeerHostError('PH_PAY_OFFER_UNACCEPTABLE', { reason: [...new Set(reasons)].join('; ') || 'it is empty' })
}

async function objection(
  { scheme, network, asset, amount, payTo, maxTimeoutSeconds, extra }: PaymentRequirements,
  { networks, acceptPayee }: SpendPolicy,
  { url, payer }: { url: string; payer?: string },
): Promise<string | undefined> {
  if (scheme !== 'exact') return `the scheme ${printable(scheme)} is not signed`
  const known = networks.find((candidate) => networkId(candidate) === network)
  if (!known) return `payments on ${printable(network)} are not allowed`
  const { usdc, chainId } = known
  if (asset.toLowerCase() !== usdc.address.toLowerCase()) return `${printable(asset)} is not USDC on ${network}`
  if (extra?.name !== usdc.name || extra?.version !== usdc.version) return 'the token’s name or version is not USDC’s'
  const method = extra?.assetTransferMethod ?? 'eip3009'
  if (method !== 'eip3009') return `the transfer method ${printable(method)} is not signed`
  const flow = extra?.paymentFlow ?? 'authorization'
  if (flow !== 'authorization') return `the payment flow ${printable(flow)} charges before the answer`
  if (!/^(0|[1-9][0-9]{0,38})$/.test(amount)) return 'the amount is not a whole number of atomic USDC'
  if (!(maxTimeoutSeconds > 0 && maxTimeoutSeconds <= MAX_VALIDITY))
    return `the payment would be valid for ${maxTimeoutSeconds} s`
  if (!isHex(payTo, 20) || /^0x0{40}$/.test(payTo)) return 'the payee is not an address'
  if (payTo.toLowerCase() === payer?.toLowerCase()) return 'the payee is the payer'
  if (acceptPayee && !(await acceptPayee(payTo.toLowerCase() as Hex, { url, chainId })))
    return `the payee ${payTo} is not the right one`
  return undefined
}

/** A server's text in a message: cut, and without control characters. */
const printable = (value: unknown): string =>
  String(value)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 60)
