import { AbiCoder } from 'ethers'
import { fromHex, type Hex } from './hex.ts'
import { keccak256 } from './keccak.ts'
import { encodeWords, writeWord } from './messages/word.ts'

const abi = AbiCoder.defaultAbiCoder()

const utf8 = new TextEncoder()
const HEAD = 3 * 32
const padded = (size: number) => Math.ceil(size / 32) * 32

/** keccak256(abi.encode(owner, project, function)): a function's name on-chain. By hand, as each request needs one. */
export function serviceId(owner: Hex, project: string, functionName: string): Hex {
  const texts = [utf8.encode(project), utf8.encode(functionName)]
  const words = new Uint8Array(HEAD + texts.reduce((sum, { length }) => sum + 32 + padded(length), 0))
  writeWord(words, 0, 'address', owner)
  let at = HEAD
  texts.forEach((text, index) => {
    writeWord(words, 32 * (index + 1), 'uint256', at)
    writeWord(words, at, 'uint256', text.length)
    words.set(text, at + 32)
    at += 32 + padded(text.length)
  })
  return keccak256(words)
}

/** A worker's blinded result: keccak256(abi.encode(resultHash, salt, worker)) (protocol.md, `resultCommit`). */
export function resultCommit(resultHash: Hex, salt: Hex, worker: Hex): Hex {
  return keccak256(
    encodeWords([
      ['bytes32', resultHash],
      ['bytes32', salt],
      ['address', worker],
    ]),
  )
}

/** paymentRef of an EIP-3009 authorization: keccak256(abi.encode(1, asset, payer, nonce)). */
export function paymentRefOfAuthorization(asset: Hex, payer: Hex, nonce: Hex): Hex {
  return keccak256(
    encodeWords([
      ['uint8', 1],
      ['address', asset],
      ['address', payer],
      ['bytes32', nonce],
    ]),
  )
}

/** paymentRef of a channel: keccak256(abi.encode(2, channelId, cumulative charged)). */
export function paymentRefOfChannel(channelId: Hex, cumulative: bigint): Hex {
  return keccak256(
    encodeWords([
      ['uint8', 2],
      ['bytes32', channelId],
      ['uint128', cumulative],
    ]),
  )
}

/** What `deploy` registers of one function (architecture.md). */
export interface FunctionSpec {
  name: string
  codeDigest: Hex
  manifestDigest: Hex
  /** Atomic USDC. */
  price: bigint
  /** 0 none, 1 deterministic, 2 public. */
  class: number
  runtimeId: Hex
}

export const FUNCTION_SPEC_ABI =
  'tuple(string name, bytes32 codeDigest, bytes32 manifestDigest, uint128 price, uint8 class, bytes32 runtimeId)'

/** keccak256 of a FunctionSpec by abi.encode: the commitment that the coordinator stores for a version. */
export const specHash = (spec: FunctionSpec): Hex => keccak256(fromHex(abi.encode([FUNCTION_SPEC_ABI], [spec])))

/** keccak256(abi.encode(FunctionSpec[])): `Deployment.specsHash`. */
export const specsHash = (specs: FunctionSpec[]): Hex =>
  keccak256(fromHex(abi.encode([`${FUNCTION_SPEC_ABI}[]`], [specs])))

/** Verification classes as the chain numbers them. */
export const VERIFICATION_CLASSES = { none: 0, deterministic: 1, public: 2 } as const
