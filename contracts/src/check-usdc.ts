import { type Hex, NETWORKS, PeerHostError } from '@peerhost/protocol'
import { Contract, type Provider, TypedDataEncoder } from 'ethers'

const TOKEN = [
  'function name() view returns (string)',
  'function version() view returns (string)',
  'function decimals() view returns (uint8)',
  'function DOMAIN_SEPARATOR() view returns (bytes32)',
]

export interface UsdcDetails {
  address: Hex
  name: string
  version: string
  decimals: number
  domainSeparator: Hex
}

/** What payments are signed for: a token's EIP-712 name and version. */
export interface ExpectedUsdc {
  name: string
  version: string
}

/**
 * Reads USDC's name, version, decimals and EIP-712 domain on-chain and compares them with what payments are signed for.
 *
 * @param expected name and version; by default those of the network that the provider's chain is
 * @throws PH_CHAIN_CONTRACT_MISSING, PH_CHAIN_USDC_MISMATCH
 */
export async function checkUsdc(provider: Provider, address: string, expected?: ExpectedUsdc): Promise<UsdcDetails> {
  const chainId = Number((await provider.getNetwork()).chainId)
  if ((await provider.getCode(address)) === '0x') {
    throw new PeerHostError('PH_CHAIN_CONTRACT_MISSING', { contract: 'USDC', address })
  }
  const known = Object.values(NETWORKS).find((network) => network.chainId === chainId)?.usdc
  const { name, version } = expected ?? known ?? NETWORKS.local.usdc
  const token = new Contract(address, TOKEN, provider)
  const read = async <T>(member: string): Promise<T> => {
    try {
      return (await token.getFunction(member).staticCall()) as T
    } catch (cause) {
      throw new PeerHostError('PH_CHAIN_USDC_MISMATCH', { address, detail: `it has no ${member}()` }, { cause })
    }
  }
  const details: UsdcDetails = {
    address: address as Hex,
    name: await read<string>('name'),
    version: await read<string>('version'),
    decimals: Number(await read<bigint>('decimals')),
    domainSeparator: await read<Hex>('DOMAIN_SEPARATOR'),
  }
  const domainSeparator = TypedDataEncoder.hashDomain({ name, version, chainId, verifyingContract: address })
  const wanted = { name, version, decimals: 6, domainSeparator }
  for (const [key, value] of Object.entries(wanted)) {
    const actual = details[key as keyof typeof wanted]
    if (actual !== value) {
      throw new PeerHostError('PH_CHAIN_USDC_MISMATCH', { address, detail: `its ${key} is ${actual}, not ${value}` })
    }
  }
  return details
}
