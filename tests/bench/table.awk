# table.awk - one workload's table from the raw rows of all its rounds.
#
# Input, tab-separated: workload, case, implementation, round, "key=value ...". Variables: w, the
# workload; head, the names of the case's parts; keys, the columns; ratios, the columns of ratios,
# each as KEY/IMPLEMENTATION (this row's figure divided by that implementation's); better (high or
# low), which end of the first column is its best. A figure is the median of the rounds, a ratio the
# median of the rounds' ratios.

# Sorts a[1..n] and returns its median.
function median(a, n,   i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j] < a[j - 1]; j--) {
            t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
        }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}

# The figures of one key over the rounds, into out[1..n]; returns n.
function collect(case_name, impl, key, out,   r, n) {
    n = 0
    for (r = 1; r <= rounds; r++)
        if ((case_name, impl, r, key) in val)
            out[++n] = val[case_name, impl, r, key] + 0
    return n
}

# The median over the rounds of one ratio, or "-".
function ratio(case_name, impl, spec,   part, key, base, r, n, v, a, b) {
    split(spec, part, "/")
    key = part[1]; base = part[2]
    n = 0
    for (r = 1; r <= rounds; r++) {
        if (!((case_name, impl, r, key) in val) || !((case_name, base, r, key) in val))
            continue
        a = val[case_name, impl, r, key]; b = val[case_name, base, r, key]
        if (b > 0)
            v[++n] = a / b
    }
    return n ? sprintf("%.2f", median(v, n)) : "-"
}

function print_row(case_name, impl,   line, i, n, v, m, best, spread) {
    line = case_name
    gsub(" ", "\t", line)
    line = line "\t" impl
    best = "-"; spread = "-"
    for (i = 1; i <= n_keys; i++) {
        n = collect(case_name, impl, key[i], v)
        if (n == 0) {
            line = line "\t-"
            continue
        }
        m = median(v, n)
        line = line "\t" (sprintf("%.4g", m) + 0)
        if (i == 1) {
            best = better == "low" ? v[1] : v[n]
            spread = m ? sprintf("%.0f", (v[n] - v[1]) / m * 100) : "-"
        }
    }
    line = line "\t" best "\t" spread
    for (i = 1; i <= n_ratios; i++)
        line = line "\t" ratio(case_name, impl, ratio_spec[i])
    print line
}

BEGIN { FS = "\t" }

$1 == w {
    if (!(($2, $3) in seen)) {
        seen[$2, $3] = 1
        row_case[++rows] = $2; row_impl[rows] = $3
    }
    if ($4 > rounds)
        rounds = $4
    n = split($5, pairs, " ")
    for (i = 1; i <= n; i++) {
        split(pairs[i], pair, "=")
        val[$2, $3, $4, pair[1]] = pair[2]
    }
    # CPU of both ends together, where both are known
    if (($2, $3, $4, "cli_cpu_us") in val && ($2, $3, $4, "srv_cpu_us") in val)
        val[$2, $3, $4, "cpu_us"] = \
            val[$2, $3, $4, "cli_cpu_us"] + val[$2, $3, $4, "srv_cpu_us"]
}

END {
    n_keys = split(keys, key, " "); n_ratios = split(ratios, ratio_spec, " ")
    line = head " impl " keys " best spread_pct " ratios
    gsub(/[ \n]+/, "\t", line)
    print line
    for (x = 1; x <= rows; x++)
        print_row(row_case[x], row_impl[x])
}
