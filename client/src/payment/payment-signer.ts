import type { Hex } from '@peerhost/protocol'
import { PeerHostError, parsePrivateKey } from '@peerhost/protocol'
import type { ClientEvmSigner } from '@x402/evm'
import { privateKeyToAccount } from 'viem/accounts'

type TypedData = Parameters<ClientEvmSigner['signTypedData']>[0]

/** An ethers v6 signer: a Wallet, or the signer of a browser's wallet. */
export interface EthersLikeSigner {
  getAddress(): Promise<string>
  signTypedData(
    domain: Record<string, unknown>,
    types: Record<string, { name: string; type: string }[]>,
    value: Record<string, unknown>,
  ): Promise<string>
}

/** A viem account, or anything that signs typed data given as one object. */
export interface ViemLikeSigner {
  address: string
  signTypedData(typedData: TypedData): Promise<string>
}

/** Who pays: a private key, an ethers signer or a viem account. */
export type PaymentSigner = string | EthersLikeSigner | ViemLikeSigner

const isEthersLike = (signer: EthersLikeSigner | ViemLikeSigner): signer is EthersLikeSigner =>
  typeof (signer as Partial<EthersLikeSigner>).getAddress === 'function'

/** Brings any signer into the form that x402's schemes take; throws PH_CONFIG_KEY_INVALID. */
export async function toPaymentSigner(signer: PaymentSigner): Promise<ClientEvmSigner> {
  if (typeof signer === 'string') {
    const key = parsePrivateKey(signer)
    try {
      const account = privateKeyToAccount(key)
      return { address: account.address, signTypedData: (data) => account.signTypedData(data as never) }
    } catch {
      // The cause is left out: it might quote the key.
      throw new PeerHostError('PH_CONFIG_KEY_INVALID', {})
    }
  }
  if (isEthersLike(signer)) {
    const address = (await signer.getAddress()) as Hex
    return {
      address,
      async signTypedData({ domain, types, message }) {
        const { EIP712Domain: _, ...own } = types as Record<string, { name: string; type: string }[]>
        return (await signer.signTypedData(domain, own, message)) as Hex
      },
    }
  }
  return {
    address: signer.address as Hex,
    signTypedData: async (data) => (await signer.signTypedData(data)) as Hex,
  }
}
