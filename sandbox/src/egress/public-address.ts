import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Blocks of the IANA special-purpose registries (RFC 6890 and its updates) and multicast: none leads to a public host. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT; some clouds' metadata
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, metadata of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks; the harness's placeholders
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
]

/** What of global unicast (2000::/3) is not a public host. All outside of it is refused anyway: loopback, ULA, link-local, mapped, NAT64, multicast. */
const SPECIAL_IPV6 = [
  '2001::/23', // protocol assignments, Teredo, ORCHID: may embed another address
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: embeds an IPv4 address
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
]

/** Metadata services on addresses of public blocks: Azure's and Alibaba's lie in private ones. */
const METADATA_IPV4 = ['168.63.129.16']

const blocked = new BlockList()
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')
for (const block of SPECIAL_IPV4) addBlock(block, 'ipv4')
for (const block of SPECIAL_IPV6) addBlock(block, 'ipv6')
for (const address of METADATA_IPV4) blocked.addAddress(address, 'ipv4')

function addBlock(block: string, family: 'ipv4' | 'ipv6'): void {
  const [network, prefix] = block.split('/')
  blocked.addSubnet(network!, Number(prefix), family)
}

/**
 * True for an address that a function may be connected to: a public unicast one, and none of this machine's own (what
 * listens here expects the machine's firewall in front of it).
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !blocked.check(address, 'ipv4') && !isOwnAddress(address)
  if (!isIPv6(address) || address.includes('%')) return false
  return globalUnicast.check(address, 'ipv6') && !blocked.check(address, 'ipv6') && !isOwnAddress(address)
}

function isOwnAddress(address: string): boolean {
  const own = new BlockList()
  for (const entry of Object.values(networkInterfaces()).flat()) {
    if (entry) own.addAddress(entry.address.split('%')[0]!, entry.family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return own.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}
