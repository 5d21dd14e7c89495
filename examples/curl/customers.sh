#!/bin/sh
# The life of a customer over XML-RPC with Digest. Needs curl.
set -eu
trap '[ $? -eq 0 ] || exit 1' EXIT

url=${TREELINE_URL:-http://127.0.0.1:8080/xmlapi/xmlapi}
login=${TREELINE_LOGIN:-root}
password=${TREELINE_PASSWORD:-}

# call METHOD MEMBERS: prints the answer. The password goes in by standard input, where `ps` does not see it.
call() {
  members="<params><param><value><struct>$2</struct></value></param></params>"
  printf 'user = "%s:%s"\n' "$login" "$password" |
    curl --silent --show-error --fail --max-time 30 --digest --config - \
      --data "<?xml version=\"1.0\"?><methodCall><methodName>$1</methodName>$members</methodCall>" "$url"
}

# member NAME TYPE VALUE: one member of the struct.
member() {
  printf '<member><name>%s</name><value><%s>%s</%s></value></member>' "$1" "$2" "$3" "$2"
}

# value NAME: the text of the first member of this name in the answer on standard input.
value() {
  tr -d '\n' | sed -n "s|.*<name>$1</name><value><[a-z0-9]*>\([^<]*\)<.*|\1|p"
}

# result METHOD MEMBERS: like call, but a fault ends the script.
result() {
  answer=$(call "$1" "$2")
  case $answer in
    *'<fault>'*)
      echo "$1: fault $(echo "$answer" | value faultCode) $(echo "$answer" | value faultString)" >&2
      exit 1
      ;;
  esac
  echo "$answer"
}

name=curl-example-$(date +%s)-$$

answer=$(result createCustomer "$(member name string "$name")$(member web_password string correct-horse-1)\
$(member i_tariff int 1)$(member balance double 25.5)$(member description string 'Made by an example')")
i_customer=$(echo "$answer" | value i_customer)
echo "createCustomer: $i_customer"

answer=$(result getCustomerInfo "$(member i_customer int "$i_customer")")
echo "getCustomerInfo: $(echo "$answer" | value name) $(echo "$answer" | value balance)"

# nil clears an attribute; & and < stand as &amp; and &lt;.
answer=$(result updateCustomer "$(member i_customer int "$i_customer")$(member company_name string 'Smith &amp; Sons')\
<member><name>description</name><value><nil/></value></member>")
echo "updateCustomer: $(echo "$answer" | value result)"

answer=$(result listCustomers "$(member name_pattern string "$name")")
echo "listCustomers: $(echo "$answer" | value name) $(echo "$answer" | value balance)"

answer=$(result authCustomer "$(member username string "$name")$(member password string correct-horse-1)")
echo "authCustomer: $(echo "$answer" | value i_access_level)"

answer=$(result resetCustomerOneTimePassword "$(member web_login string "$name")")
one_time=$(echo "$answer" | value password)
echo "resetCustomerOneTimePassword: $one_time"

# A one-time password answers fault 410: it was right, and a new password must be set now.
answer=$(call authCustomer "$(member username string "$name")$(member password string "$one_time")")
echo "authCustomer: fault $(echo "$answer" | value faultCode) $(echo "$answer" | value faultString)"
test "$(echo "$answer" | value faultCode)" = 410

answer=$(result deleteCustomer "$(member i_customer int "$i_customer")")
echo "deleteCustomer: $(echo "$answer" | value result)"
