// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One function of a project as its owner registers it; `codeDigest` 0 retires it.
/// @param name the function's name in serverless.yml
/// @param codeDigest sha-256 of the bundle
/// @param manifestDigest sha-256 of the manifest, which is also its raw CID's digest
/// @param price atomic USDC per call, 0 for free
/// @param class 0 none, 1 deterministic, 2 public
/// @param runtimeId identifies the runtime the function runs on
struct FunctionSpec {
    string name;
    bytes32 codeDigest;
    bytes32 manifestDigest;
    uint128 price;
    uint8 class;
    bytes32 runtimeId;
}

/// @notice What a gateway anchors: one batch of receipts, linked to the one before.
/// @param gateway bonded address
/// @param index position in the gateway's chain of batches, from 0
/// @param predecessor keccak256(abi.encode(header before)), or 0 for the first
/// @param receiptsRoot sum tree of the leaves' weights, sorted by (worker, receipt hash)
/// @param earningsRoot sum tree of cumulative weights, sorted by worker
/// @param dataDigest sha-256 of the data's dag-pb root block on IPFS
/// @param count leaves in the receipts tree
/// @param cumulativeWeight sum of the earnings tree, in 1/100 atomic USDC
/// @param reserved 0
struct BatchHeader {
    address gateway;
    uint64 index;
    bytes32 predecessor;
    bytes32 receiptsRoot;
    bytes32 earningsRoot;
    bytes32 dataDigest;
    uint32 count;
    uint96 cumulativeWeight;
    bytes32 reserved;
}

struct Deployment {
    address owner;
    string project;
    bytes32 specsHash;
    uint64 nonce;
    uint64 deadline;
}

struct Request {
    bytes32 serviceId;
    uint32 version;
    bytes32 inputHash;
    address payer;
    uint128 maxPrice;
    uint64 clockMs;
    uint64 deadlineMs;
    bytes32 nonce;
}

struct Assignment {
    bytes32 requestHash;
    uint8 attempt;
    address gateway;
    address worker;
    uint64 epoch;
    uint64 answerByMs;
}

struct Receipt {
    bytes32 assignmentHash;
    bytes32 requestHash;
    bytes32 serviceId;
    uint32 version;
    bytes32 codeDigest;
    bytes32 runtimeId;
    uint8 sandbox;
    bytes32 resultCommit;
    bytes32 tapeRoot;
    uint8 status;
    uint128 price;
    uint64 epoch;
    address worker;
}

struct Acceptance {
    bytes32 receiptHash;
    bytes32 paymentRef;
    uint64 anchorBy;
}

struct HotKey {
    address owner;
    address key;
}

struct Access {
    string method;
    string target;
    bytes32 bodyHash;
    uint64 deadline;
}

struct AuditAttestation {
    bytes32 receiptHash;
    bytes32 auditCommit;
    address auditor;
}

/// @title Messages
/// @notice EIP-712 struct hashes and the other hashes of PeerHost's messages.
/// @dev The domain is (name `PeerHost`, version `1`, chain id, the coordinator's address) for every message, whichever
/// contract checks it. The TypeScript twin of this file is held equal by the vectors and the differential fuzz in
/// contracts/test.
library Messages {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant DEPLOYMENT_TYPEHASH =
        keccak256("Deployment(address owner,string project,bytes32 specsHash,uint64 nonce,uint64 deadline)");
    bytes32 internal constant REQUEST_TYPEHASH = keccak256(
        "Request(bytes32 serviceId,uint32 version,bytes32 inputHash,address payer,uint128 maxPrice,uint64 clockMs,uint64 deadlineMs,bytes32 nonce)"
    );
    bytes32 internal constant ASSIGNMENT_TYPEHASH = keccak256(
        "Assignment(bytes32 requestHash,uint8 attempt,address gateway,address worker,uint64 epoch,uint64 answerByMs)"
    );
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 assignmentHash,bytes32 requestHash,bytes32 serviceId,uint32 version,bytes32 codeDigest,bytes32 runtimeId,uint8 sandbox,bytes32 resultCommit,bytes32 tapeRoot,uint8 status,uint128 price,uint64 epoch,address worker)"
    );
    bytes32 internal constant ACCEPTANCE_TYPEHASH =
        keccak256("Acceptance(bytes32 receiptHash,bytes32 paymentRef,uint64 anchorBy)");
    bytes32 internal constant HOT_KEY_TYPEHASH = keccak256("HotKey(address owner,address key)");
    bytes32 internal constant ACCESS_TYPEHASH =
        keccak256("Access(string method,string target,bytes32 bodyHash,uint64 deadline)");
    bytes32 internal constant AUDIT_ATTESTATION_TYPEHASH =
        keccak256("AuditAttestation(bytes32 receiptHash,bytes32 auditCommit,address auditor)");

    /// @notice The EIP-712 domain separator of the network whose coordinator is `coordinator`.
    function domainSeparator(uint256 chainId, address coordinator) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("PeerHost"), keccak256("1"), chainId, coordinator));
    }

    function structHash(Deployment memory m) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(DEPLOYMENT_TYPEHASH, m.owner, keccak256(bytes(m.project)), m.specsHash, m.nonce, m.deadline)
        );
    }

    function structHash(Request memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(REQUEST_TYPEHASH, m));
    }

    function structHash(Assignment memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(ASSIGNMENT_TYPEHASH, m));
    }

    function structHash(Receipt memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT_TYPEHASH, m));
    }

    function structHash(Acceptance memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCEPTANCE_TYPEHASH, m));
    }

    function structHash(HotKey memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(HOT_KEY_TYPEHASH, m));
    }

    function structHash(Access memory m) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(ACCESS_TYPEHASH, keccak256(bytes(m.method)), keccak256(bytes(m.target)), m.bodyHash, m.deadline)
        );
    }

    function structHash(AuditAttestation memory m) internal pure returns (bytes32) {
        return keccak256(abi.encode(AUDIT_ATTESTATION_TYPEHASH, m));
    }

    /// @notice The id of a function, the same in every version.
    function serviceId(address owner, string memory project, string memory name) internal pure returns (bytes32) {
        return keccak256(abi.encode(owner, project, name));
    }

    /// @notice What is stored of one version of a function.
    function commitment(FunctionSpec memory spec) internal pure returns (bytes32) {
        return keccak256(abi.encode(spec));
    }

    /// @notice `specsHash` of a Deployment.
    function specsHash(FunctionSpec[] memory specs) internal pure returns (bytes32) {
        return keccak256(abi.encode(specs));
    }

    /// @notice A batch's id, and its successor's `predecessor`.
    /// @dev keccak256(abi.encode(header)), without a copy field by field. Bits that do not belong to a field change the
    /// hash: it then is no anchored header's, since `anchor` refuses them.
    function headerHash(BatchHeader calldata header) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, header, 288)
            hash := keccak256(at, 288)
        }
    }

    /// @notice A worker's blinded result.
    function resultCommit(bytes32 resultHash, bytes32 salt, address worker) internal pure returns (bytes32) {
        return keccak256(abi.encode(resultHash, salt, worker));
    }

    /// @notice Names an EIP-3009 payment.
    function paymentRef(address asset, address payer, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint8(1), asset, payer, nonce));
    }

    /// @notice Names a charge on a payment channel.
    function paymentRef(bytes32 channelId, uint256 cumulativeCharged) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint8(2), channelId, cumulativeCharged));
    }
}
