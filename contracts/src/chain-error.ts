import { contractErrorsAbi, isPeerHostError, PeerHostError } from '@peerhost/protocol'
import { Interface, isError } from 'ethers'

const errors = new Interface(contractErrorsAbi)

/** How nodes say it that ethers does not know. */
const NO_FUNDS = /enough funds|insufficient funds/i

const nodeMessage = (error: Error) => String((error as { error?: { message?: unknown } }).error?.message ?? '')

/** Puts a code on what ethers threw; what it does not know stays as it is. */
export function toChainError(error: unknown, context: { url?: string; address?: string }): unknown {
  if (isPeerHostError(error)) return error
  if (isError(error, 'INSUFFICIENT_FUNDS') || (isError(error, 'UNKNOWN_ERROR') && NO_FUNDS.test(nodeMessage(error)))) {
    return new PeerHostError('PH_CHAIN_NO_FUNDS', { address: context.address ?? 'of the signer' }, { cause: error })
  }
  if (isError(error, 'CALL_EXCEPTION')) {
    return new PeerHostError(
      'PH_CHAIN_REVERTED',
      { reason: describeRevert(error.data) ?? error.shortMessage },
      { cause: error },
    )
  }
  if (isError(error, 'NETWORK_ERROR') || isError(error, 'TIMEOUT') || isError(error, 'SERVER_ERROR')) {
    const words = { url: context.url ?? 'PEERHOST_RPC_URL', detail: error.shortMessage }
    return new PeerHostError('PH_CHAIN_UNREACHABLE', words, { cause: error })
  }
  return error
}

/** A custom error of ours with its arguments, as it stands in Solidity. */
function describeRevert(data: string | null): string | undefined {
  const description = data ? errors.parseError(data) : null
  return description ? `${description.name}(${description.args.map(String).join(', ')})` : undefined
}
