import type { Hex } from '../hex.ts'

/** A developer's registration of functions, sent by anyone. */
export interface Deployment {
  owner: Hex
  project: string
  /** keccak256(abi.encode(FunctionSpec[])). */
  specsHash: Hex
  nonce: bigint
  /** Seconds since 1970. */
  deadline: bigint
}

/** What was asked: one function version, one input, one clock. */
export interface Request {
  serviceId: Hex
  version: number
  inputHash: Hex
  payer: Hex
  /** Atomic USDC. */
  maxPrice: bigint
  clockMs: bigint
  deadlineMs: bigint
  nonce: Hex
}

/** A gateway's order to one worker. */
export interface Assignment {
  requestHash: Hex
  attempt: number
  gateway: Hex
  worker: Hex
  epoch: bigint
  answerByMs: bigint
}

/** A worker's statement of what it did. */
export interface Receipt {
  assignmentHash: Hex
  requestHash: Hex
  serviceId: Hex
  version: number
  codeDigest: Hex
  runtimeId: Hex
  sandbox: number
  resultCommit: Hex
  tapeRoot: Hex
  status: number
  /** Atomic USDC. */
  price: bigint
  epoch: bigint
  worker: Hex
}

/** A gateway's promise to anchor a receipt. */
export interface Acceptance {
  receiptHash: Hex
  paymentRef: Hex
  /** Seconds since 1970. */
  anchorBy: bigint
}

/** Registration of a hot key, signed by the key itself. */
export interface HotKey {
  owner: Hex
  key: Hex
}

/** Authorisation of one call of a signed gateway route. */
export interface Access {
  method: string
  /** Path and query. */
  target: string
  /** keccak256 of the body. */
  bodyHash: Hex
  /** Seconds since 1970. */
  deadline: bigint
}

export interface MessageTypes {
  Deployment: Deployment
  Request: Request
  Assignment: Assignment
  Receipt: Receipt
  Acceptance: Acceptance
  HotKey: HotKey
  Access: Access
}

/** EIP-712 domain of all messages (protocol.md, rule 6). */
export interface Domain {
  chainId: number
  /** The ExecutionCoordinator. */
  verifyingContract: Hex
}

export type FieldType = 'bytes32' | 'address' | 'string' | 'uint8' | 'uint32' | 'uint64' | 'uint128'
export interface Field {
  name: string
  type: FieldType
}

const fields = (text: string): Field[] =>
  text.split(', ').map((field) => {
    const [type, name] = field.split(' ') as [FieldType, string]
    return { name, type }
  })

/** The fields of each message in order, in the form that ethers' and viem's signTypedData take. */
export const MESSAGE_FIELDS: Record<keyof MessageTypes, Field[]> = {
  Deployment: fields('address owner, string project, bytes32 specsHash, uint64 nonce, uint64 deadline'),
  Request: fields(
    'bytes32 serviceId, uint32 version, bytes32 inputHash, address payer, uint128 maxPrice, uint64 clockMs, uint64 deadlineMs, bytes32 nonce',
  ),
  Assignment: fields(
    'bytes32 requestHash, uint8 attempt, address gateway, address worker, uint64 epoch, uint64 answerByMs',
  ),
  Receipt: fields(
    'bytes32 assignmentHash, bytes32 requestHash, bytes32 serviceId, uint32 version, bytes32 codeDigest, bytes32 runtimeId, uint8 sandbox, bytes32 resultCommit, bytes32 tapeRoot, uint8 status, uint128 price, uint64 epoch, address worker',
  ),
  Acceptance: fields('bytes32 receiptHash, bytes32 paymentRef, uint64 anchorBy'),
  HotKey: fields('address owner, address key'),
  Access: fields('string method, string target, bytes32 bodyHash, uint64 deadline'),
}
