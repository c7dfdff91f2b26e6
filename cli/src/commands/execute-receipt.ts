import { type Check, fetchFile, type RegisteredFunction } from '@peerhost/client'
import {
  cidOfDigest,
  decodeInput,
  decodeManifest,
  encodeResult,
  type FunctionInput,
  type FunctionResult,
  type Hex,
  hashMessage,
  keccak256,
  PeerHostError,
  type SignedReceipt,
  sha256Hex,
} from '@peerhost/protocol'
import { createSandbox, type ExecutionResult } from '@peerhost/sandbox'

export interface ExecuteReceiptOptions {
  receipt: SignedReceipt
  /** Bytes behind inputHash and the body they commit to: the caller's own, or of a `public` request those of its batch. */
  input: Uint8Array
  requestBody: Uint8Array
  registered: RegisteredFunction
  /** Where code and manifest are read, `<ipfsUrl>/ipfs/<cid>`. */
  ipfsUrl: string
  chainId: number
  coordinator: Hex
}

/** What `verify --execute` adds to the checks of a receipt. */
export interface ExecutionCheck {
  name: 'execution'
  ok: Check['ok']
  detail: string
}

const MAX_BUNDLE_BYTES = 16 * 1024 * 1024

/** The function's definition and code as registered; throws PH_MANIFEST_* or PH_BUNDLE_DIGEST_MISMATCH where they are others. */
async function readFunction({ registered, ipfsUrl }: ExecuteReceiptOptions) {
  const { owner, project, spec, version } = registered
  const manifest = decodeManifest(await fetchFile(cidOfDigest(spec.manifestDigest), { ipfsUrl }))
  const definition = manifest.functions.find(({ name }) => name === spec.name)
  if (!definition || definition.codeDigest !== spec.codeDigest || manifest.owner !== owner.toLowerCase()) {
    throw new PeerHostError('PH_MANIFEST_MISMATCH', { detail: 'it is not the manifest of this function' })
  }
  const bundle = async () => {
    const bytes = await fetchFile(definition.bundleCid, { ipfsUrl, maxBytes: MAX_BUNDLE_BYTES })
    const actual = sha256Hex(bytes)
    if (actual !== spec.codeDigest)
      throw new PeerHostError('PH_BUNDLE_DIGEST_MISMATCH', { expected: spec.codeDigest, actual })
    return bytes
  }
  return { owner: owner.toLowerCase() as Hex, project, version, definition, bundle }
}

function toFunctionResult({ kind }: FunctionInput, { status, response, output }: ExecutionResult): FunctionResult {
  if (status > 1) return { kind, status }
  return kind === 'http' ? { kind, status, response } : { kind, status, output }
}

/**
 * Runs a receipt's request again, with code from chain and IPFS alone, at fork point `blank`, and compares the bytes.
 *
 * @throws what the sandbox throws where it does not work, and PH_STORE_* where code cannot be had
 */
export async function executeReceipt(options: ExecuteReceiptOptions): Promise<ExecutionCheck> {
  const { receipt, chainId, coordinator } = options
  const check = (ok: Check['ok'], detail: string): ExecutionCheck => ({ name: 'execution', ok, detail })
  const input = decodeInput(options.input, options.requestBody)
  const fn = await readFunction(options)
  if (fn.definition.verification === 'none') {
    return check('pending', 'the function is of verification none: another run may rightly give another answer')
  }
  const sandbox = await createSandbox({ forkPoint: 'blank', blankJails: 1, cgroups: 'auto' })
  try {
    const requestHash = hashMessage({ chainId, verifyingContract: coordinator }, 'Request', receipt.request)
    const result = await sandbox.execute(fn, { input, requestHash, clockMs: Number(receipt.request.clockMs) })
    if (result.status === 4) throw new PeerHostError('PH_RUN_REFUSED', { detail: result.error?.message ?? 'unknown' })
    const hash = keccak256(encodeResult(toFunctionResult(input, result)))
    const claimed = keccak256(receipt.output)
    if (hash === claimed) return check(true, `another run gave the same result, ${hash}`)
    return check(false, `another run gave the result ${hash}, the receipt says ${claimed}`)
  } finally {
    await sandbox.close()
  }
}
