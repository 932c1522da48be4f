// The target of a signed address, for signed-njs.conf.

import crypto from 'crypto';

// What may be a target at all. Keep it as short as it can be.
const permitted = /^10\.0\.0\.\d+:59\d\d$/;

// An argument that is there twice is an array.
function target(r) {
    const target = r.args.target, expires = r.args.expires, sign = r.args.sign;
    if (typeof target != 'string' || typeof expires != 'string' || typeof sign != 'string') {
        return '';
    }
    const expected = crypto.createHmac('sha256', signing.key).update(`${target} ${expires}`).digest('hex');
    if (!same(expected, sign) || !/^\d+$/.test(expires) || Number(expires) * 1000 < Date.now()) {
        return '';
    }
    return permitted.test(target) ? target : '';
}

// How long it takes says nothing of where they differ.
function same(a, b) {
    let differences = a.length ^ b.length;
    for (let i = 0; i < a.length; i++) {
        differences |= a.charCodeAt(i) ^ b.charCodeAt(i);
    }
    return differences === 0;
}

export default {target};
