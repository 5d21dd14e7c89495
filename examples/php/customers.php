<?php
// The life of a customer over XML-RPC with Digest. Needs the extensions curl and xmlrpc.

$url = getenv('TREELINE_URL') ?: 'http://127.0.0.1:8080/xmlapi/xmlapi';
$login = getenv('TREELINE_LOGIN') ?: 'root';
$password = getenv('TREELINE_PASSWORD') ?: '';

class XmlRpcFault extends Exception {}

function call(string $method, array $params = [])
{
    global $url, $login, $password;
    $body = xmlrpc_encode_request($method, $params, ['encoding' => 'utf-8', 'escaping' => 'markup']);
    $curl = curl_init($url);
    curl_setopt_array($curl, [
        CURLOPT_HTTPAUTH => CURLAUTH_DIGEST,
        CURLOPT_USERPWD => "$login:$password",
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_HTTPHEADER => ['Content-Type: text/xml'],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 30,
    ]);
    $answer = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    if ($answer === false) {
        throw new RuntimeException("$url: " . curl_error($curl));
    }
    if ($status !== 200) {
        throw new RuntimeException("$url: HTTP $status");
    }
    $result = xmlrpc_decode($answer, 'utf-8');
    if (is_array($result) && xmlrpc_is_fault($result)) {
        throw new XmlRpcFault($result['faultString'], $result['faultCode']);
    }
    return $result;
}

function show(string $method, array $answer): void
{
    echo "$method: ", json_encode($answer), "\n";
}

try {
    $name = 'php-example-' . uniqid();

    $created = call('createCustomer', [
        'name' => $name,
        'web_password' => 'correct-horse-1',
        'i_tariff' => 1,
        'balance' => 25.5,
        'description' => 'Made by an example',
    ]);
    show('createCustomer', $created);
    $i_customer = $created['i_customer'];

    $customer = call('getCustomerInfo', ['i_customer' => $i_customer])['customer'];
    echo "getCustomerInfo: {$customer['name']} {$customer['balance']} {$customer['base_currency']}\n";

    show('updateCustomer', call('updateCustomer', [
        'i_customer' => $i_customer,
        'company_name' => 'Smith & Sons',
    ]));

    foreach (call('listCustomers', ['name_pattern' => $name])['customers'] as $item) {
        echo "listCustomers: {$item['i_customer']} {$item['name']} {$item['balance']}\n";
    }

    show('authCustomer', call('authCustomer', ['username' => $name, 'password' => 'correct-horse-1']));

    $one_time = call('resetCustomerOneTimePassword', ['web_login' => $name])['password'];
    echo "resetCustomerOneTimePassword: $one_time\n";

    // A one-time password answers fault 410: it was right, and a new password must be set now.
    try {
        call('authCustomer', ['username' => $name, 'password' => $one_time]);
    } catch (XmlRpcFault $fault) {
        echo "authCustomer: fault {$fault->getCode()} {$fault->getMessage()}\n";
        if ($fault->getCode() !== 410) {
            throw $fault;
        }
    }

    show('deleteCustomer', call('deleteCustomer', ['i_customer' => $i_customer]));
} catch (XmlRpcFault $fault) {
    fwrite(STDERR, "Fault {$fault->getCode()}: {$fault->getMessage()}\n");
    exit(1);
} catch (RuntimeException $error) {
    fwrite(STDERR, "{$error->getMessage()}\n");
    exit(1);
}
