import { deepStrictEqual } from 'node:assert'
import type { Hex, NetworkInfo, PeerHostError } from '@peerhost/protocol'
import type { ServedFunction } from '../routing/project-catalogue.ts'

/** One entry of `accepts` (x402 version 2, scheme `exact`, EIP-3009). */
export interface Offer {
  scheme: 'exact'
  network: string
  /** Atomic USDC. */
  amount: string
  asset: Hex
  payTo: Hex
  /** Seconds that an authorization has to live at least when it is signed. */
  maxTimeoutSeconds: number
  /** The token's EIP-712 domain. */
  extra: { name: string; version: string }
}

/** What a payment is asked for. */
export interface Resource {
  url: string
  description?: string
  serviceName?: string
}

/** CAIP-2 name of a network. */
export const caip2 = ({ chainId }: NetworkInfo): string => `eip155:${chainId}`

/** Seconds that must be left when a function has answered, for the transaction. */
export const SETTLEMENT_SECONDS = 6

/** The offer for one call of a function. */
export function makeOffer({ definition, service }: ServedFunction, network: NetworkInfo, payTo: Hex): Offer {
  return {
    scheme: 'exact',
    network: caip2(network),
    amount: String(service.spec.price),
    asset: network.usdc.address,
    payTo,
    maxTimeoutSeconds: 2 * definition.timeout + 60,
    extra: { name: network.usdc.name, version: network.usdc.version },
  }
}

const lower = (value: unknown) =>
  typeof value === 'string' && /^0x[0-9a-fA-F]*$/.test(value) ? value.toLowerCase() : value

/** Whether a payer's `accepted` is this offer: the same fields, addresses in any case, further members of `extra` ignored. */
export function matchesOffer(offer: Offer, accepted: Record<string, unknown>): boolean {
  const { extra, ...core } = accepted
  const { extra: offeredExtra, ...offeredCore } = offer
  try {
    deepStrictEqual(Object.fromEntries(Object.entries(core).map(([name, value]) => [name, lower(value)])), offeredCore)
  } catch {
    return false
  }
  const given = (typeof extra === 'object' && extra !== null ? extra : {}) as Record<string, unknown>
  return given.name === offeredExtra.name && given.version === offeredExtra.version
}

/** The object of a 402. */
export const paymentRequired = (offer: Offer, resource: Resource, error?: PeerHostError) => ({
  x402Version: 2 as const,
  error: error?.message ?? 'Payment required',
  resource: { mimeType: '', ...resource, serviceName: resource.serviceName?.slice(0, 32) },
  accepts: [offer],
})

/** Base64 JSON, as x402 headers are written. */
export const toHeader = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')
