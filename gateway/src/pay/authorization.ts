import { fromHex, type Hex, isHex, keccak256, PeerHostError } from '@peerhost/protocol'
import { PaymentPayloadV2Schema } from '@x402/core/schemas'

/** A signed EIP-3009 transfer, as it comes in an x402 `exact` payment. Amounts in atomic units, times in seconds. */
export interface Authorization {
  from: Hex
  to: Hex
  value: bigint
  validAfter: bigint
  validBefore: bigint
  nonce: Hex
  /** 65 bytes of a plain key; anything of a contract that is a wallet (EIP-1271). */
  signature: Hex
}

/** A `PAYMENT-SIGNATURE` header, read. */
export interface ExactPayment {
  /** The offer that the payer chose, as he sent it. */
  accepted: Record<string, unknown>
  authorization: Authorization
}

const MAX_HEADER = 12_288
const MAX_SIGNATURE_BYTES = 2_048

const invalid = (reason: string) => new PeerHostError('PH_PAY_INVALID', { reason })

function readInteger(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(value)) throw invalid(`${what} is not an integer`)
  return BigInt(value)
}

function readAddress(value: unknown, what: string): Hex {
  if (!isHex(value, 20)) throw invalid(`${what} is not an address`)
  return value.toLowerCase() as Hex
}

/** Reads an authorization of an `exact` payload; throws PH_PAY_INVALID. */
export function readAuthorization(payload: Record<string, unknown>): Authorization {
  const source = payload.authorization
  if (typeof source !== 'object' || source === null) throw invalid('it holds no EIP-3009 authorization')
  const { from, to, value, validAfter, validBefore, nonce } = source as Record<string, unknown>
  const { signature } = payload
  if (!isHex(nonce, 32)) throw invalid('its nonce has not 32 bytes')
  if (
    typeof signature !== 'string' ||
    !/^0x(?:[0-9a-fA-F]{2})+$/.test(signature) ||
    signature.length > 2 + 2 * MAX_SIGNATURE_BYTES
  )
    throw invalid('its signature is malformed')
  return {
    from: readAddress(from, 'its payer'),
    to: readAddress(to, 'its payee'),
    value: readInteger(value, 'its amount'),
    validAfter: readInteger(validAfter, 'validAfter'),
    validBefore: readInteger(validBefore, 'validBefore'),
    nonce: nonce.toLowerCase() as Hex,
    signature: signature.toLowerCase() as Hex,
  }
}

/** Reads a payment object (x402 version 2, scheme `exact`); throws PH_PAY_INVALID. */
export function readPaymentObject(value: unknown): ExactPayment {
  const parsed = PaymentPayloadV2Schema.safeParse(value)
  if (!parsed.success) throw invalid('it is not an x402 version 2 payment')
  const { accepted, payload } = parsed.data
  if (accepted.scheme !== 'exact') throw invalid(`scheme ${accepted.scheme.slice(0, 40)} is not offered`)
  return { accepted: accepted as Record<string, unknown>, authorization: readAuthorization(payload) }
}

/** Reads a `PAYMENT-SIGNATURE` header (base64 JSON); throws PH_PAY_INVALID. */
export function readPayment(header: string): ExactPayment {
  if (header.length > MAX_HEADER || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(header)) throw invalid('the header is not base64')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(header, 'base64').toString('utf8'))
  } catch {
    throw invalid('the header is not base64 JSON')
  }
  return readPaymentObject(value)
}

const TYPE_HASH = keccak256(
  new TextEncoder().encode(
    'TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
  ),
)
const word = (value: bigint | Hex): string =>
  typeof value === 'bigint' ? value.toString(16).padStart(64, '0') : value.slice(2).padStart(64, '0')

const fieldWords = ({ from, to, value, validAfter, validBefore, nonce }: Authorization): string =>
  [from, to, value, validAfter, validBefore, nonce].map(word).join('')

/** The EIP-712 digest that the payer signed. */
export function authorizationDigest(domainSeparator: Hex, authorization: Authorization): Hex {
  const struct = keccak256(fromHex(`${TYPE_HASH}${fieldWords(authorization)}`))
  return keccak256(fromHex(`0x1901${domainSeparator.slice(2)}${struct.slice(2)}`))
}

/** transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32) */
const SELECTOR_VRS = '0xe3ee160e'
/** transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes) */
const SELECTOR_BYTES = '0xcf092995'

/** The call that moves the money; contract wallets sign in bytes. */
export function transferCall(authorization: Authorization, isPlainKey: boolean): Hex {
  const { signature } = authorization
  const fields = fieldWords(authorization)
  if (isPlainKey) {
    const v = BigInt(`0x${signature.slice(130, 132)}`)
    return `${SELECTOR_VRS}${fields}${word(v)}${signature.slice(2, 66)}${signature.slice(66, 130)}` as Hex
  }
  const bytes = signature.slice(2)
  const padded = bytes.padEnd(Math.ceil(bytes.length / 64) * 64, '0')
  return `${SELECTOR_BYTES}${fields}${word(7n * 32n)}${word(BigInt(bytes.length / 2))}${padded}` as Hex
}

/** JSON of an authorization, to keep it. */
export const authorizationToJson = (authorization: Authorization): string =>
  JSON.stringify(authorization, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

/** The inverse of `authorizationToJson`. */
export function authorizationFromJson(text: string): Authorization {
  const { signature, ...authorization } = JSON.parse(text) as Record<string, unknown>
  return readAuthorization({ authorization, signature })
}
