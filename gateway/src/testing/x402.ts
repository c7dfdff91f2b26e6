import type { Hex } from '@peerhost/protocol'
import { Wallet } from 'ethers'

/** An offer of a 402. */
export interface TestOffer {
  scheme: string
  network: string
  amount: string
  asset: Hex
  payTo: Hex
  maxTimeoutSeconds: number
  extra: { name: string; version: string }
}

export interface TestAuthorization {
  from: string
  to: string
  value: string
  validAfter: string
  validBefore: string
  nonce: string
}

/** The offer that a route makes to who does not pay. */
export async function offerOf(url: string, init?: RequestInit): Promise<TestOffer> {
  const response = await fetch(url, init)
  const header = response.headers.get('payment-required')
  if (response.status !== 402 || !header) throw new Error(`${url} answered ${response.status}`)
  return JSON.parse(Buffer.from(header, 'base64').toString()).accepts[0]
}

const TYPES = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
}

/** Signs a payment by hand, also a wrong one; returns the header and what was signed. */
export async function signPayment(
  offer: TestOffer,
  privateKey: string,
  changes: Partial<TestAuthorization> = {},
): Promise<{ header: string; authorization: TestAuthorization; signature: string }> {
  const wallet = new Wallet(privateKey)
  const now = Math.floor(Date.now() / 1000)
  const authorization: TestAuthorization = {
    from: wallet.address,
    to: offer.payTo,
    value: offer.amount,
    validAfter: String(now - 60),
    validBefore: String(now + offer.maxTimeoutSeconds),
    nonce: `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')}`,
    ...changes,
  }
  const domain = {
    ...offer.extra,
    chainId: Number(offer.network.split(':')[1]),
    verifyingContract: offer.asset,
  }
  const signature = await wallet.signTypedData(domain, TYPES, authorization)
  return { header: encodePayment(offer, authorization, signature), authorization, signature }
}

/** The header of a payment. */
export const encodePayment = (offer: TestOffer, authorization: TestAuthorization, signature: string): string =>
  Buffer.from(JSON.stringify({ x402Version: 2, accepted: offer, payload: { signature, authorization } })).toString(
    'base64',
  )
